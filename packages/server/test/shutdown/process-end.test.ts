import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("process-end.mjs", import.meta.url));
/** Far longer than a process takes to start, and shorter than any default time-out, none of which may delay the end. */
const limitMs = 50_000;

/** Runs one program to its end. Rejects if it is still running after the limit, or exits with a code other than 0. */
async function run(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@kortyx/source", "--disable-warning=ExperimentalWarning", script, program],
    { timeout: limitMs },
  );
  return stdout.trim();
}

describe.concurrent("a process ends on its own when it", () => {
  test.each([
    "leaves an answer unread",
    "leaves a source that never yields",
    "leaves a source function that never yields",
    "leaves a route's answer",
    "leaves a route's agent that never yields",
    "leaves a run",
    "leaves a run that never ends",
    "leaves a run that never ends, in a file",
    "leaves an answer that it has begun to read",
    "cancels an answer",
  ])("%s", async (program) => {
    expect(await run(program)).toBe("");
  });
});

describe.concurrent("a process stays alive until it has its result when it", () => {
  test.each([
    ["reads an answer that is given up", '"reason":"timeout"'],
    ["reads an answer whose agent is silent", '"code":"source-idle"'],
    ["reads an answer late", '"reason":"timeout"'],
    ["reads a run that takes too long", '"reason":"timeout"'],
    ["drains an unread answer", '{"finished":0,"aborted":1}'],
  ])("%s", async (program, waitedFor) => {
    expect(await run(program)).toContain(waitedFor);
  });
});
