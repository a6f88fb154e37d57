import type { ChatAgent, StreamChunk } from "@kortyx/server";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { printSummary, type Result } from "../src/report.ts";
import type { Capability } from "../src/server/check.ts";
import { serverChecks, testServer } from "../src/server/test-server.ts";
import { faultsOfAnswers } from "./faults.ts";
import { changeStream, createFaultyServer, createServer, type Handler } from "./faulty-servers.ts";
import { faultsOfRuns } from "./run-faults.ts";

/** Long for a busy machine: nothing of it passes on a server without a fault. */
const patienceMs = 30_000;

async function resultsOf(
  fetch: Handler,
  { timeoutMs = patienceMs, checks = serverChecks, required = [] as Capability[] } = {},
): Promise<Result[]> {
  const options = { url: "http://host/chat", headers: {}, timeoutMs, fetch, required };
  const results: Result[] = [];
  for await (const result of testServer(options, checks)) results.push(result);
  return results;
}

const namesOf = (results: Result[], ...statuses: Result["status"][]): string[] =>
  results.filter(({ status }) => statuses.includes(status)).map(({ name }) => name);

const failed = (results: Result[]): string[] => namesOf(results, "failed", "advice").sort();

let log: MockInstance<typeof console.error>;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  const others = log.mock.calls.filter((call) => !String(call[1] ?? call[0]).includes("conformance-secret"));
  expect(others).toEqual([]);
});

const faults = [...faultsOfAnswers, ...faultsOfRuns];

test("a server with runs passes every check that is for it", async () => {
  const results = await resultsOf(createServer());
  expect(failed(results)).toEqual([]);
  expect(namesOf(results, "not-tried")).toEqual(["a GET is refused by a server without runs"]);
});

test("a server passes whose runs end with their last reader", async () => {
  const results = await resultsOf(createServer({ onDisconnect: "cancel" }));
  expect(failed(results)).toEqual([]);
  expect(namesOf(results, "not-tried")).toEqual([
    "a GET is refused by a server without runs",
    "a connection that is lost in mid-answer is resumed, also by two readers",
  ]);
});

test("a server without runs passes every other check, and what was not tried has its reason", async () => {
  const results = await resultsOf(createServer({ isPlain: true }));
  expect(failed(results)).toEqual([]);
  const reasons = new Set(results.flatMap(({ reason }) => reason ?? []));
  expect([...reasons]).toEqual([
    "No run-start has acceptsParts, so it may not read the parts of messages.",
    "Its events have no ids, so it has no runs.",
    "GET ?session= does not find an open run, so it keeps no sessions.",
  ]);
  expect(namesOf(results, "not-tried").length).toBeLessThan(serverChecks.length / 2);
});

test("a server passes whose fields are in another order, with more of them, behind nginx", async () => {
  const sort = (value: Record<string, unknown>): object =>
    Object.fromEntries(Object.entries({ ...value, "x-more": 1 }).sort());
  let count = 0;
  const unusual = createFaultyServer({
    async handle(request, forward) {
      const response = await forward(request.with({}));
      const headers = new Headers(response.headers);
      headers.set("server", "nginx/1.26.3");
      headers.delete("x-accel-buffering");
      if (headers.get("content-type")?.startsWith("application/json")) {
        const { terminal, ...body } = await response.json();
        const fields = terminal ? { ...body, terminal: sort(terminal) } : { ...body, terminal };
        return Response.json(sort(fields), { status: response.status });
      }
      if (response.body) headers.set("content-type", "text/event-stream; charset=utf-8");
      const { status } = response;
      // Every other response, so that two readers of a run see different orders.
      const isSorted = count++ % 2 === 0;
      return changeStream(new Response(response.body, { status, headers }), (event) =>
        event.replace(/{.*}/, (chunk) => {
          const fields = { ...JSON.parse(chunk), "x-more": 1 };
          const text = JSON.stringify(isSorted ? sort(fields) : fields);
          return text.replace(
            /[\x80-\uffff]/g,
            (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
          );
        }),
      );
    },
  });
  const results = await resultsOf(unusual);
  expect(failed(results)).toEqual([]);
  expect(namesOf(results, "not-tried")).toEqual([
    "nginx is asked not to buffer",
    "a GET is refused by a server without runs",
  ]);
});

test.each<[what: string, streamChat: ChatAgent["streamChat"], isStranger: boolean]>([
  ["answers in its own words", () => [{ type: "text-delta", delta: "How can I help?" }], true],
  ["always fails", () => Promise.reject(new Error("conformance-secret")), true],
  ["has a wrong text, but fails when it is told to", failOnly, false],
])(
  "only an agent that does not know the prompts is said not to: one that %s",
  async (_, streamChat, isStranger) => {
    const results = await resultsOf(createServer({ agent: { streamChat } }), { timeoutMs: 300 });
    const hint = "the agent knows the prompts of the checks";
    expect(results.filter(({ name }) => name === hint)).toHaveLength(isStranger ? 1 : 0);
    if (!isStranger) return;
    expect(results[0]).toMatchObject({ name: hint, status: "failed" });
    expect(printSummary(results)).toMatch(
      /^The agent does not seem to know the prompts, such as conformance:echo, .*\n\d+ ok, /,
    );
  },
);

async function* failOnly(messages: readonly { content: string }[]): AsyncGenerator<StreamChunk> {
  yield { type: "text-delta", delta: "Hallo" };
  if (messages.at(-1)?.content === "conformance:fail") throw new Error("conformance-secret");
}

test("what the server has is not judged by a first answer that is refused", async () => {
  const refusing: Handler = async () =>
    Response.json({ error: "Who?", code: "unauthorized" }, { status: 401 });
  const results = await resultsOf(refusing);
  const reasons = new Set(results.flatMap(({ reason }) => reason ?? []));
  expect([...reasons]).toEqual(["The first answer failed, so it is unknown what the server has."]);
  expect(namesOf(results, "not-tried")).toContain("a GET is refused by a server without runs");
});

test("an answer whose response never comes is stopped all the same", async () => {
  const posted: unknown[] = [];
  const stopped: unknown[] = [];
  const holding = createFaultyServer({
    async handle(request, forward) {
      if (request.method === "DELETE") stopped.push(request.query.get("key"));
      if (!request.body.includes("pause")) return forward(request.with({}));
      posted.push(JSON.parse(request.body).idempotencyKey);
      const response = await forward(request.with({}));
      return new Response(await response.text(), response);
    },
  });
  const checks = serverChecks.filter(({ name }) => name === "a chunk is sent when the agent has it");
  expect(failed(await resultsOf(holding, { timeoutMs: 300, checks }))).toHaveLength(1);
  // The first of them looks for sessions.
  expect(posted).toHaveLength(2);
  expect(stopped).toEqual(posted);
});

test("checks of a required capability fail without it", async () => {
  const results = await resultsOf(createServer({ isPlain: true }), { required: ["runs"] });
  const runChecks = serverChecks.filter(({ needs }) => needs === "runs");
  expect(failed(results)).toEqual(runChecks.map(({ name }) => name).sort());
  expect(results.at(-2)).toMatchObject({
    expected: "a server with runs",
    received: "Its events have no ids, so it has no runs.",
  });
});

describe("a check fails on the server whose fault it is for, and no other does:", () => {
  test.each(faults.map((fault) => [fault.name, fault] as const))("%s", async (_, fault) => {
    const { breaks, isWide, timeoutMs } = fault;
    const checks = timeoutMs ? serverChecks.filter(({ name }) => breaks.includes(name)) : serverChecks;
    const found = failed(await resultsOf(createFaultyServer(fault), { timeoutMs, checks }));
    expect(found).toEqual(isWide ? expect.arrayContaining(breaks) : [...breaks].sort());
  });
});

test("every check has a fault", () => {
  const broken = new Set(faults.flatMap(({ breaks }) => breaks));
  expect(serverChecks.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
  expect(new Set(serverChecks.map(({ name }) => name)).size).toBe(serverChecks.length);
});
