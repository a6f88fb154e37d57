import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { answerWith, delta, finish, refuseWith, startModelServer } from "../model-server.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const mainFile = fileURLToPath(new URL("../../src/server/main.ts", import.meta.url));
const startFile = fileURLToPath(new URL("../../start.mjs", import.meta.url));

function startDemo(env: Record<string, string>, ...[file = mainFile, ...words]: string[]) {
  const child = spawn(process.execPath, [file, ...words], {
    env: { DEMO_RUNS_FILE: ":memory:", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  return { child, readOutput: () => output, exit: once(child, "exit") };
}

async function readAddress(child: ChildProcess): Promise<string> {
  const [line] = await Promise.race([once(child.stdout!, "data"), once(child, "exit")]);
  const address = /^Demo: (\S+)/.exec(String(line))?.[1];
  if (address === undefined) throw new Error(`The demo did not start: ${line}`);
  return address;
}

const ask = (address: string) =>
  fetch(`${address}/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", cookie: "visitor=me" },
    body: JSON.stringify({ messages: [{ role: "user", content: "flumoxitron" }], sessionId: "s" }),
  });

/** A comment may have come before the agent was ready. */
const readEvents = async (response: Response) => (await response.text()).replaceAll(/^:.*\n\n/gm, "");

test("SIGINT ends the process at once, also in the middle of a stream", async () => {
  const { child, exit } = startDemo({ PORT: "0", DEMO_TOKENS_PER_SECOND: "0.01" });
  const reader = (await ask(await readAddress(child))).body!.getReader();
  await reader.read();

  const startedAt = performance.now();
  child.kill("SIGINT");
  expect(await exit).toEqual([130, null]);
  // Draining would take 5 s.
  expect(performance.now() - startedAt).toBeLessThan(4000);
  await reader.cancel().catch(() => {});
});

test("SIGTERM lets a short answer finish, ends a long one with abort shutdown, and ends the process in order", async () => {
  const end = async (tokensPerSecond: string, ending: string) => {
    const { child, exit } = startDemo({ PORT: "0", DEMO_TOKENS_PER_SECOND: tokensPerSecond });
    const response = await ask(await readAddress(child));
    child.kill("SIGTERM");
    const text = await response.text();
    expect(text).toContain(ending);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(await exit).toEqual([0, null]);
  };
  await Promise.all([
    end("100", '"finishReason":"stop"'),
    end("0.01", '{"type":"abort","reason":"shutdown"}'),
  ]);
});

/** A folder with a build tool that prints `text`, without the end of the line, and exits with `exitCode`. */
const createBuildTool = (text: string, exitCode: number) =>
  createTemporaryFolder({ turbo: `#!/bin/sh\nprintf '${text}'\nexit ${exitCode}\n` }).then(async (folder) => {
    await chmod(join(folder, "turbo"), 0o755);
    return folder;
  });

const curlOf = (address: string) =>
  `curl -N ${address}/api/chat -H 'content-type: application/json' -d '{"messages":[{"role":"user","content":"How does a stream end?"}]}'`;

test("pnpm demo prints the address and the curl to try, as in the README, and nothing of the build", async () => {
  const folder = await createBuildTool("...Finishing writing to cache...", 0);
  const { child, readOutput } = startDemo({ PORT: "0", PATH: folder }, startFile);
  const address = await readAddress(child);
  await expect.poll(readOutput).toBe(`Demo: ${address}\n${curlOf(address)}\n`);
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  expect(readme).toContain(curlOf("http://localhost:3000"));
});

test("pnpm demo prints the output of a build that fails, and starts nothing", async () => {
  const folder = await createBuildTool("error TS2322: no such thing", 3);
  const { readOutput, exit } = startDemo({ PORT: "0", PATH: folder }, startFile);
  expect(await exit).toEqual([3, null]);
  expect(readOutput()).toBe("error TS2322: no such thing\n");
});

test("pnpm demo:cluster names the missing program, and how to install it", async () => {
  const PATH = await createBuildTool("", 0);
  const { readOutput, exit } = startDemo({ PORT: "0", PATH }, startFile, "cluster");
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toMatch(
    /^The cluster needs (nginx|redis-server), which is missing\. `pnpm setup:system` installs it\.\n$/,
  );
});

test("as one process of a cluster, each response names it, and so does each answer that it writes", async () => {
  const { child } = startDemo({ PORT: "0", DEMO_PROCESS: "2", DEMO_TOKENS_PER_SECOND: "0" });
  const response = await ask(await readAddress(child));
  expect(response.headers.get("x-demo-process")).toBe(`process 2 (pid ${child.pid})`);
  const [, first] = (await readEvents(response)).split("\n\n");
  expect(first).toContain(`data: {"type":"metadata","metadata":{"process":"process 2 (pid ${child.pid})"}}`);
});

test("a port that is in use is reported, with another one to try", async () => {
  const other = createServer();
  onTestFinished(() => void other.close());
  await once(other.listen(0, "127.0.0.1"), "listening");
  const { port } = other.address() as { port: number };
  const { readOutput, exit } = startDemo({ PORT: String(port) });
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toContain(`Port ${port} is in use.`);
});

test.each([
  ["PORT", "many", "a whole number from 0 to 65535"],
  ["PORT", "65536", "a whole number from 0 to 65535"],
  ["PORT", "-1", "a whole number from 0 to 65535"],
  ["DEMO_TOKENS_PER_SECOND", "fast", "a number, 0 or more"],
])("%s=%s is refused", async (name, value, expected) => {
  const { readOutput, exit } = startDemo({ PORT: "0", [name]: value });
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toBe(`${name} must be ${expected}; got "${value}".\n`);
});

const model = { OPENAI_API_KEY: "sk-secret-0123456789", OPENAI_MODEL: "tiny" };

test("a model that is configured in part is refused", async () => {
  const { readOutput, exit } = startDemo({ PORT: "0", ...model });
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toBe(
    "OPENAI_BASE_URL missing: set all of OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL to use a model, or none. For a model that needs no key, set any.\n",
  );
});

test("with a model, its answer is streamed", async () => {
  const { baseUrl, requests } = await startModelServer(
    answerWith({ id: "c-1", ...delta({ content: "It hums." }) }, finish("stop")),
  );
  const { child, readOutput } = startDemo({ PORT: "0", OPENAI_BASE_URL: baseUrl, ...model });
  const text = await (await ask(await readAddress(child))).text();
  expect(text).toContain('data: {"type":"text-delta","segmentId":"c-1:0","delta":"It hums."}\n\n');
  expect(text).toContain('data: {"type":"done","finishReason":"stop"}\n\ndata: [DONE]\n\n');
  expect(requests[0]?.headers.authorization).toBe("Bearer sk-secret-0123456789");
  expect(readOutput()).toContain(`Model: tiny at ${baseUrl}\n`);
});

test("a key that is refused is reported on the page and in the log, without the key", async () => {
  const { baseUrl } = await startModelServer(
    refuseWith(401, { error: { message: "Incorrect API key provided: sk-secret-0123456789" } }),
  );
  const { child, readOutput } = startDemo({ PORT: "0", OPENAI_BASE_URL: baseUrl, ...model });
  const text = await (await ask(await readAddress(child))).text();
  const message = "The model's endpoint refuses OPENAI_API_KEY.";
  expect(text).toContain(`{"type":"error","code":"model-failed","message":"${message}",`);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  await expect.poll(readOutput).toContain(`${message} [`);
  expect(text + readOutput()).not.toContain("sk-secret");
});

test("an answer survives a restart, for the visitor who asked and no other", async () => {
  const folder = await createTemporaryFolder({});
  const env = { PORT: "0", DEMO_TOKENS_PER_SECOND: "0", DEMO_RUNS_FILE: join(folder, "kept", "runs.db") };
  const first = startDemo(env);
  const answer = await readEvents(await ask(await readAddress(first.child)));
  first.child.kill("SIGKILL");
  await first.exit;

  const address = await readAddress(startDemo(env).child);
  const follow = (cookie: string) => fetch(`${address}/api/chat?session=s`, { headers: { cookie } });
  expect(await readEvents(await follow("visitor=me"))).toBe(answer);
  expect((await follow("visitor=you")).status).toBe(204);
  expect((await follow("")).status).toBe(401);
});

const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

test.skipIf(!hasRedis)("REDIS_URL keeps the answers in Redis, for every process", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const redis = spawn("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""]);
  onTestFinished(() => void redis.kill("SIGKILL"));
  let log = "";
  redis.stdout.on("data", (data) => (log += data));
  await expect.poll(() => log).toMatch(/ready to accept/i);

  const env = { PORT: "0", DEMO_TOKENS_PER_SECOND: "0", REDIS_URL: `redis://127.0.0.1:${port}` };
  const [first, second] = await Promise.all([1, 2].map(() => readAddress(startDemo(env).child)));
  const answer = await readEvents(await ask(first!));
  const followed = await fetch(`${second}/api/chat?session=s`, { headers: { cookie: "visitor=me" } });
  expect(await readEvents(followed)).toBe(answer);
});

test("a store that cannot be opened ends the start with a reason", async () => {
  const { readOutput, exit } = startDemo({ PORT: "0", DEMO_RUNS_FILE: "/dev/null/runs.db" });
  expect(await exit).toEqual([1, null]);
  expect(readOutput()).toMatch(/^The demo cannot keep its answers: /);
});
