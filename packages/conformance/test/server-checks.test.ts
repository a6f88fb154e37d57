import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import type { Result } from "../src/report.ts";
import type { Capability } from "../src/server/check.ts";
import { serverChecks, testServer } from "../src/server/test-server.ts";
import { faultsOfAnswers } from "./faults.ts";
import { createFaultyServer, createServer, type Handler } from "./faulty-servers.ts";
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
