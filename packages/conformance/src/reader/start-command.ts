/** A reader in any language, as a command that a shell starts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { CheckFailure } from "../check-failure.ts";
import { within } from "../waiting.ts";
import type { FedReader } from "./test-reader.ts";

/**
 * @param timeoutMs - The longest wait for a line.
 * @param lines - Written at the pace at which the command reads.
 */
export function startCommand(command: string, timeoutMs: number, lines: AsyncIterable<string>): FedReader {
  const child = spawn(command, { shell: true, stdio: ["pipe", "pipe", "inherit"] });
  // A command that has ended takes no more; its missing lines are reported.
  child.stdin.on("error", () => {});
  Readable.from(lines).pipe(child.stdin);
  const ended = once(child, "close");
  const printed = splitLines(child.stdout.setEncoding("utf8"));
  return {
    async nextLine() {
      const { value, done } = await within(timeoutMs, "a line of JSON", printed.next());
      if (!done) return value;
      const [code] = await within(timeoutMs, "the end of a command that has closed its output", ended);
      throw new CheckFailure(
        "a line of JSON for each line",
        `the end of the command, with exit code ${code}`,
      );
    },
    close() {
      child.stdin.destroy();
      child.kill();
    },
  };
}

/** Splits at LF only: `node:readline` would also split at U+2028, which JSON may contain. */
async function* splitLines(output: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of output) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
