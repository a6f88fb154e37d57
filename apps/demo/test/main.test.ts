import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

// What `pnpm demo` starts, so this needs a build.
const mainFile = fileURLToPath(new URL("../dist/main.js", import.meta.url));

function startDemo(env: Record<string, string>) {
  const child = spawn(process.execPath, [mainFile], { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  return { child, readOutput: () => output, exit: once(child, "exit") };
}

async function readAddress(child: ChildProcess): Promise<string> {
  const [line] = await once(child.stdout!, "data");
  return String(line).trim().replace("Demo: ", "");
}

const ask = (address: string) =>
  fetch(`${address}/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "flumoxitron" }] }),
  });

test("SIGINT ends the process at once, also in the middle of a stream", async () => {
  const { child, readOutput, exit } = startDemo({ PORT: "0", DEMO_TOKENS_PER_SECOND: "0.01" });
  const reader = (await ask(await readAddress(child))).body!.getReader();
  await reader.read();

  const startedAt = performance.now();
  child.kill("SIGINT");
  expect(await exit).toEqual([130, null]);
  expect(performance.now() - startedAt).toBeLessThan(1500);
  expect(readOutput()).toMatch(/^Demo: http:\/\/localhost:\d+\n$/);
  await reader.cancel().catch(() => {});
});

test("SIGTERM lets a short answer finish, ends a long one with abort shutdown, and ends the process in order", async () => {
  for (const [tokensPerSecond, ending] of [
    ["100", '"finishReason":"stop"'],
    ["0.01", '{"type":"abort","reason":"shutdown"}'],
  ] as const) {
    const { child, exit } = startDemo({ PORT: "0", DEMO_TOKENS_PER_SECOND: tokensPerSecond });
    const response = await ask(await readAddress(child));
    child.kill("SIGTERM");
    const text = await response.text();
    expect(text).toContain(ending);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(await exit).toEqual([0, null]);
  }
}, 15_000);

test("a port that is in use is said to be so", async () => {
  const other = createServer();
  onTestFinished(() => void other.close());
  await once(other.listen(0, "127.0.0.1"), "listening");
  const { port } = other.address() as { port: number };
  const { readOutput, exit } = startDemo({ PORT: String(port) });
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toContain(`Port ${port} is in use.`);
});

test.each([
  ["PORT", "many"],
  ["PORT", "65536"],
  ["PORT", "-1"],
  ["DEMO_TOKENS_PER_SECOND", "fast"],
])("%s=%s is refused", async (name, value) => {
  const { readOutput, exit } = startDemo({ PORT: "0", [name]: value });
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toBe(`${name} is "${value}"; that is not a number it can be.\n`);
});
