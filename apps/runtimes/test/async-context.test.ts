/**
 * The contents of `AsyncLocalStorage` in an agent and its callbacks, on runtimes that each have their own
 * implementation.
 */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { isInstalled } from "../install.ts";
import { bin, bundle } from "./framework-process.ts";

const run = promisify(execFile);

test.skipIf(!isInstalled()).each([
  { runtime: "Bun", command: bin("bun"), args: ["run"] },
  { runtime: "Deno", command: bin("deno"), args: ["run"] },
  { runtime: "Node", command: process.execPath, args: [] },
])(
  "in $runtime, an agent and its callbacks run in the context of their request, and shared work runs in none",
  async ({ command, args }) => {
    mkdirSync(fileURLToPath(new URL("../.tmp/servers/", import.meta.url)), { recursive: true });
    const { stdout } = await run(command, [...args, await bundle("print-contexts")]);
    expect(JSON.parse(stdout)).toEqual({
      step: ["A"],
      abort: ["A"],
      finally: ["A"],
      onFinish: ["A"],
      wait: ["none"],
      renew: ["none"],
    });
  },
);
