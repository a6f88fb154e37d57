#!/usr/bin/env node
/** The command: reads its arguments, prints the report, and sets the exit code. */
import { parseArgs } from "node:util";
import { startCommand } from "./reader/start-command.ts";
import { testReader } from "./reader/test-reader.ts";
import { holds, printResult, printSummary, type Result } from "./report.ts";
import type { Capability } from "./server/check.ts";
import { Unreachable } from "./server/target.ts";
import { testServer } from "./server/test-server.ts";

const usage = `Tests a server or a reader of Kortyx streams.

  kortyx-conformance <url>                 a server, whose agent knows the prompts of the README
  kortyx-conformance --client <command>    a reader: a line of JSON in, a line of JSON out, as in the README

  --header 'name: value'   of a server: sent with every request; may be repeated
  --require runs           of a server: fails if it has no runs (or sessions, or parts); may be repeated
  --timeout <seconds>      the longest wait for anything, by default 10
  --json                   prints one JSON value instead of lines
  --help

The exit code is 0 if everything holds that was tried, 1 if not, and 2 if nothing could be tried.`;

/** The arguments are wrong, or there is nothing to test. */
class UsageError extends Error {}

function readArguments(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      client: { type: "string" },
      header: { type: "string", multiple: true, default: [] },
      require: { type: "string", multiple: true, default: [] },
      timeout: { type: "string", default: "10" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { client: command, header, require, json } = values;
  const [url] = positionals;
  if (command?.trim() === "") throw new UsageError("Expected a command after --client.");
  if (positionals.length + (command === undefined ? 0 : 1) !== 1) {
    throw new UsageError("Expected one URL, or --client with a command.");
  }
  const { protocol = "", username, password } = URL.parse(url ?? "http:") ?? {};
  if (url !== undefined && !/^https?:/.test(protocol)) {
    throw new UsageError(`Expected a URL of http or https, got ${url}.`);
  }
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0))
    throw new UsageError(`Expected a number of seconds, got --timeout ${values.timeout}.`);
  if (command !== undefined && header.length + require.length > 0) {
    throw new UsageError("Expected --header and --require only with the URL of a server.");
  }
  const unknown = require.find((name) => !["runs", "sessions", "parts"].includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`Expected runs, sessions or parts, got --require ${unknown}.`);
  }
  if (username || password) {
    throw new UsageError("Expected a URL without a user: send one with --header 'authorization: …'.");
  }
  return { url, command, headers: readHeaders(header), required: require as Capability[], timeoutMs, json };
}

function readHeaders(lines: string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined || !isHeader(name, value))
        throw new UsageError("Expected --header 'name: value'.");
      return [name.toLowerCase(), value];
    }),
  );
}

function isHeader(name: string, value: string): boolean {
  try {
    return new Headers({ [name]: value }).has(name);
  } catch {
    return false;
  }
}

async function main(): Promise<number> {
  const options = readArguments(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const { url, command, json, timeoutMs } = options;
  const results: Result[] = [];
  const testing =
    command === undefined
      ? testServer({ ...options, url: url! })
      : testReader((lines) => startCommand(command, timeoutMs, lines));
  for await (const result of testing) {
    results.push(result);
    if (!json) process.stdout.write(`${printResult(result)}\n`);
  }
  const passed = holds(results);
  process.stdout.write(json ? `${JSON.stringify({ passed, results })}\n` : `\n${printSummary(results)}\n`);
  if (passed) return 0;
  // A reader that never printed a line was not tested.
  return results.some(({ section }) => section !== "") ? 1 : 2;
}

// Who reads the report may leave early, such as `head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(1);
});

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message, received } = error as Error & { code?: string; received?: string };
  const isUsage = error instanceof UsageError || code?.startsWith("ERR_PARSE_ARGS");
  if (!isUsage && !(error instanceof Unreachable)) throw error;
  process.stderr.write(isUsage ? `${message}\n\n${usage}\n` : `The server cannot be reached: ${received}.\n`);
  process.exitCode = 2;
}
