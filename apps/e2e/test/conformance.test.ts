/** The conformance kit as a command, on our servers and readers and those in Python. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type ChatAgent, createChatRoute, createMemoryRunStore, type RunStore } from "@kortyx/server";
import { createRedisRunStore } from "@kortyx/server/redis";
import { createSqliteRunStore } from "@kortyx/server/sqlite";
import { hasRedis, startRedis } from "@kortyx/test-redis";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  type MockInstance,
  test,
  vi,
} from "vitest";
import { listen, listenOnNode } from "./live-server.ts";
import { hasPython, pythonFolder, startPython } from "./python.ts";
import { createSnippetFolder, readersModules, snippetsOf, typeErrorsOf } from "./readme-snippets.ts";

const command = createRequire(import.meta.url)
  .resolve("@kortyx/conformance/package.json")
  .replace("package.json", "dist/cli.js");

interface Run {
  code: number;
  output: string;
  errors: string;
}

async function runKit(...args: string[]): Promise<Run> {
  // As Python is by default: it prints in blocks of 8 KiB.
  const env = { ...process.env, PYTHONUNBUFFERED: "" };
  const child = spawn(process.execPath, [command, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode!, output, errors };
}

interface Report {
  passed: boolean;
  results: { name: string; status: "ok" | "failed" | "advice" | "not-tried"; reason?: string }[];
}

/** @returns the names of what was not tried; everything else holds. */
async function passWithout(...args: string[]): Promise<string[]> {
  const { code, output, errors } = await runKit(...args, "--json", "--timeout", "30");
  expect(errors).toBe("");
  const { passed, results }: Report = JSON.parse(output);
  expect(results.filter(({ status }) => status === "failed" || status === "advice")).toEqual([]);
  expect([code, passed]).toEqual([0, true]);
  return results.filter(({ status }) => status === "not-tried").map(({ name }) => name);
}

const page = "packages/conformance/README.md";
const folder = createSnippetFolder("conformance");
const [agentSnippet, readerSnippet] = snippetsOf(page) as [string, string];
let agent: ChatAgent;
beforeAll(async () => {
  ({ agent } = await folder.run<{ agent: ChatAgent }>("conformance-agent.ts", agentSnippet));
});
afterAll(() => folder.remove());

let log: MockInstance<typeof console.error>;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  const isProvoked = (call: unknown[]) => call.some((value) => String(value).includes("conformance-secret"));
  expect(log.mock.calls.filter((call) => !isProvoked(call))).toEqual([]);
});

/** The kit waits for one or two, and forgives 2 s. */
const heartbeatMs = 200;

const owner = (request: Request): string | null => request.headers.get("x-user");
const asAnn = ["--header", "x-user: ann-1815"];
const everything = ["--require", "runs", "--require", "sessions", "--require", "parts"];

async function testRuns(store: RunStore): Promise<string[]> {
  const route = createChatRoute({ agent, runs: { store }, authorize: owner, heartbeatMs });
  const server = await listen(route.fetch);
  try {
    return await passWithout(`${server.url}/api/chat`, ...asAnn, ...everything);
  } finally {
    await server.close();
    await store.close();
  }
}

const onlyWithoutRuns = ["a GET is refused by a server without runs"];

test("the snippets of its README, which run here, pass this project's own type checks", () => {
  expect(snippetsOf(page)).toHaveLength(2);
  const ofTypes = agentSnippet
    .replace("agent: ChatAgent ", "agent: ChatAgent<AppTypes> ")
    .concat('import type { AppTypes } from "./chat-route.ts";');
  expect(ofTypes).toContain("ChatAgent<AppTypes>");
  expect(typeErrorsOf([page], folder, { ...readersModules, "typed-agent.ts": ofTypes })).toBe("");
});

describe("the kit passes", () => {
  test("a route with runs in memory", async () => {
    expect(await testRuns(createMemoryRunStore())).toEqual(onlyWithoutRuns);
  });

  test("a route with runs in SQLite", async () => {
    const storage = mkdtempSync(join(tmpdir(), "kortyx-conformance-"));
    expect(await testRuns(createSqliteRunStore({ path: join(storage, "runs.db") }))).toEqual(onlyWithoutRuns);
    rmSync(storage, { recursive: true });
  });

  test.skipIf(!hasRedis())("a route with runs in Redis", async () => {
    const redis = await startRedis();
    const store = createRedisRunStore({ client: await redis.connect() });
    expect(await testRuns(store)).toEqual(onlyWithoutRuns);
    await redis.close();
  });

  test("a route whose runs have no owner, and so no session", async () => {
    const runs = { store: createMemoryRunStore() };
    const route = createChatRoute({ agent, runs, authorize: "anonymous", heartbeatMs });
    const server = await listen(route.fetch);
    const notTried = await passWithout(server.url, "--require", "runs");
    expect(notTried.filter((name) => !name.includes("session"))).toEqual(onlyWithoutRuns);
    await server.close();
  });

  test("a route whose runs end with their last reader", async () => {
    const runs = { store: createMemoryRunStore(), onDisconnect: "cancel" } as const;
    const route = createChatRoute({ agent, runs, authorize: owner, heartbeatMs });
    const server = await listen(route.fetch);
    expect(await passWithout(server.url, ...asAnn, ...everything)).toEqual([
      ...onlyWithoutRuns,
      "a connection that is lost in mid-answer is resumed, also by two readers",
    ]);
    await server.close();
  });

  test("a route without runs", async () => {
    const server = await listen(createChatRoute({ agent, heartbeatMs }).fetch);
    const notTried = await passWithout(server.url);
    expect(notTried).toContain("a run has one terminal, at its end");
    expect(notTried).not.toContain("heartbeats come as announced");
    await server.close();
  });

  test("the stream of a route by hand, in a framework that knows its method", async () => {
    const [hand] = snippetsOf("docs/sse.md");
    folder.write("agent.ts", agentSnippet);
    type Module = { POST(request: Request): Promise<Response> };
    const { POST } = await folder.run<Module>(
      "by-hand.ts",
      hand!.replace("toSSE(open, {", `toSSE(open, { heartbeatMs: ${heartbeatMs},`),
    );
    const refuse = (status: number, code: string) => Response.json({ error: "Refused.", code }, { status });
    const server = await listen(async (request) => {
      if (request.method !== "POST") return refuse(405, "method-not-allowed");
      return POST(request).catch(() => refuse(500, "internal"));
    });
    expect(await passWithout(server.url)).toContain("a run has one terminal, at its end");
    await server.close();
  });

  test.skipIf(!hasPython())("the server in Python", async () => {
    const server = await startPython("kortyx_server.py");
    const notTried = await passWithout(server.url, "--require", "runs");
    expect(notTried).toHaveLength(8);
    await server.close();
  });

  test("our reader", async () => {
    const reader = folder.write("reader.ts", readerSnippet);
    const client = `"${process.execPath}" "${reader}"`;
    expect(await passWithout("--client", client)).toEqual([
      "a resumed answer continues after its last event",
      "what the rest repeats is skipped, and what it leaves out is missing",
      "no line and no block continues in the next body",
      "each body is decoded anew, and may begin with a byte order mark",
      "what ends an answer is its last chunk, in whichever body",
      "lastEventId",
      "retryMs",
    ]);
  });

  test.skipIf(!hasPython())("the reader in Python", async () => {
    const client = `python3 -B "${join(pythonFolder, "conformance_reader.py")}"`;
    expect(await passWithout("--client", client)).toEqual([]);
  });
});

describe("the report", () => {
  test("shows what was sent, expected and received, and never the headers of the user", async () => {
    const server = await listenOnNode((request, response) => {
      response.writeHead(request.headers["x-user"] === "ann-1815" ? 200 : 401, {
        "content-type": "text/plain",
      });
      response.end("Hello");
    });
    const { code, output } = await runKit(server.url, ...asAnn);
    await server.close();
    expect(code).toBe(1);
    expect(output.split("\n").slice(0, 4)).toEqual([
      "FAILED      a POST gets a stream (2.1)",
      `            sent      POST ${server.url}/ | accept: text/event-stream | {"messages":[{"role":"user","content":"conformance:echo Hello"}]}`,
      "            expected  status 200, text/event-stream",
      "            received  status 200, text/plain, Hello",
    ]);
    expect(output).not.toContain("ann-1815");
    expect(output).toMatch(
      /\n\n0 ok, \d+ FAILED, 3 advice, \d+ not tried\. The sections are those of docs\/protocol\.md\.\n$/,
    );
  });

  test("is one sentence for a server that cannot be reached", async () => {
    const server = await listenOnNode(() => {});
    await server.close();
    const { code, output, errors } = await runKit(server.url);
    expect([code, output]).toEqual([2, ""]);
    expect(errors).toMatch(
      /^The server cannot be reached: fetch failed: connect ECONNREFUSED 127\.0\.0\.1:\d+\.\n$/,
    );
  });

  test("is the same sentence for a server that does not respond", async () => {
    const server = await listenOnNode(() => {});
    const { code, output, errors } = await runKit(server.url, "--timeout", "0.2");
    await server.close();
    expect([code, output]).toEqual([2, ""]);
    expect(errors).toBe("The server cannot be reached: no response within 0.2 s.\n");
  });

  test("names the address to which a request was redirected", async () => {
    const server = await listenOnNode((request, response) => {
      if (request.url === "/login") response.writeHead(200, { "content-type": "text/html" }).end("Sign in.");
      else response.writeHead(302, { location: "/login" }).end();
    });
    const { output } = await runKit(server.url);
    await server.close();
    expect(output).toContain(
      `received  redirected to ${server.url}/login, status 200, text/html, Sign in.\n`,
    );
  });

  test("of a reader that cannot be started shows its exit code", async () => {
    const { code, output } = await runKit("--client", "exit 7");
    expect(code).toBe(2);
    expect(output).toContain("received  the end of the command, with exit code 7\n");
  });

  test("ends without a word when its reader leaves", async () => {
    const server = await listenOnNode((_, response) => void response.writeHead(404).end());
    const child = spawn(process.execPath, [command, server.url], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.once("data", () => child.stdout.destroy());
    const [errors] = await Promise.all([text(child.stderr), once(child, "close")]);
    await server.close();
    expect([child.exitCode, errors]).toEqual([1, ""]);
  });

  test.each([
    [[], "Expected one URL, or --client with a command."],
    [["http://a", "http://b"], "Expected one URL, or --client with a command."],
    [["http://a", "--client", "cat"], "Expected one URL, or --client with a command."],
    [["localhost:3000"], "Expected a URL of http or https, got localhost:3000."],
    [["http://ann:secret@a"], "Expected a URL without a user: send one with --header 'authorization: …'."],
    [["--client", " "], "Expected a command after --client."],
    [["http://a", "--header", "ann"], "Expected --header 'name: value'."],
    [["http://a", "--header", "na(me: ann"], "Expected --header 'name: value'."],
    [["http://a", "--require", "tools"], "Expected runs, sessions or parts, got --require tools."],
    [
      ["--client", "cat", "--require", "runs"],
      "Expected --header and --require only with the URL of a server.",
    ],
    [["http://a", "--timeout", "soon"], "Expected a number of seconds, got --timeout soon."],
    [["http://a", "--loud"], "Unknown option '--loud'."],
  ])("is the usage for the arguments %j", async (args, problem) => {
    const { code, output, errors } = await runKit(...args);
    expect([code, output]).toEqual([2, ""]);
    expect(errors.startsWith(problem)).toBe(true);
    expect(errors).toContain("kortyx-conformance <url>");
  });

  test("is the usage for --help", async () => {
    const { code, output } = await runKit("--help");
    expect(code).toBe(0);
    expect(output).toContain("--require runs");
  });
});
