import { expect, test } from "vitest";
import { diagnose } from "../../src/doctor/diagnose.ts";
import type { Examination } from "../../src/doctor/examine-route.ts";
import type { Block, Recording } from "../../src/doctor/recording.ts";

const stream = { "content-type": "text/event-stream", "cache-control": "no-cache" };

/** An answer of 3 s. */
function createBlocks(startMs = 30): Block[] {
  const types = [...Array(30).fill("text-delta"), "done", "[DONE]"];
  const comment = { beganMs: startMs, atMs: startMs, comment: "hb=8000" };
  return [
    comment,
    ...types.map((type, index) => ({ beganMs: startMs + 100 * index, atMs: startMs + 100 * index, type })),
  ];
}

const answer = (over: Partial<Recording> = {}): Recording => {
  const blocks = over.blocks ?? createBlocks();
  const endMs = blocks.at(-1)?.atMs ?? 30;
  return {
    httpVersion: "2",
    status: 200,
    headers: stream,
    headersMs: 30,
    blocks,
    text: "",
    endMs,
    end: "whole",
    ...over,
  };
};

const url = new URL("https://host/api/chat");
const examination = (over: Partial<Recording> = {}, rest: Partial<Examination> = {}): Examination => ({
  url,
  controlMs: 10,
  graceMs: 0,
  answer: answer(over),
  ...rest,
});

const found = (over: Partial<Recording>, rest?: Partial<Examination>) =>
  diagnose(examination(over, rest)).findings;

test("nothing is found on a path that is right", () => {
  expect(diagnose(examination())).toEqual({ verdict: "streams", findings: [] });
});

const refusals: [string, Partial<Recording>, object][] = [
  [
    "a redirect",
    { status: 308, headers: { location: "https://host/" } },
    { id: "redirected", what: "The route redirects to https://host/ with status 308." },
  ],
  [
    "a missing permission",
    { status: 403, text: "no" },
    { id: "refused", fixes: [expect.stringContaining("--header 'cookie: …'")] },
  ],
  [
    "a proxy without an upstream",
    { status: 502, headers: { server: "nginx" }, text: "Bad Gateway" },
    { id: "refused", culprit: expect.stringContaining("Likely nginx") },
  ],
  [
    "a body that the route does not expect",
    { status: 400, headers: { "content-type": "application/json" }, text: "{}" },
    {
      id: "refused",
      what: "The response has status 400 and application/json: {}",
      fixes: [expect.stringContaining("--body")],
    },
  ],
  [
    "another URL",
    { status: 404, headers: {}, text: "" },
    {
      id: "refused",
      what: "The response has status 404 and no content type: an empty body",
      fixes: [expect.stringContaining("URL")],
    },
  ],
  [
    "a load balancer without a server",
    { status: 503, headers: { "content-type": "text/html" }, text: "<h1>No server</h1>" },
    { id: "refused", culprit: expect.stringContaining("The proxy has not reached the route") },
  ],
  [
    "a route that drains",
    { status: 503, headers: { "content-type": "application/json" }, text: '{"code":"draining"}' },
    { id: "refused", what: expect.stringContaining("503 and application/json") },
  ],
  [
    "http: to a port with TLS",
    { status: 400, headers: {}, text: "The plain HTTP request was sent to HTTPS port" },
    { id: "refused", fixes: ["`https:` in the URL"] },
  ],
  ["an error of the server", { status: 500, headers: {} }, { id: "refused", fixes: [] }],
  ["a page", { headers: { "content-type": "text/html" } }, { id: "not-an-event-stream" }],
];
test.each(refusals)("%s is the only finding", (_, over, finding) => {
  expect(found({ blocks: [], httpVersion: "1.1", ...over })).toMatchObject([finding]);
});

const notes: [string, Partial<Recording>, object][] = [
  [
    "late-start",
    { blocks: createBlocks(1200), headersMs: 1200 },
    { what: "The first bytes came 1.19 s later than the response to a bad request." },
  ],
  [
    "no-heartbeats",
    { blocks: createBlocks().map((block) => (block.comment ? { ...block, comment: "hb=0" } : block)) },
    { fixes: ["remove `heartbeatMs: 0` from the options of the route"] },
  ],
  [
    "agent-failed",
    { blocks: createBlocks().map((block, at) => (at === 9 ? { ...block, type: "error" } : block)) },
    {},
  ],
  [
    "cache-control",
    { headers: { ...stream, "cache-control": "public, max-age=60" } },
    { what: "The response has `cache-control: public, max-age=60`: a cache may store it." },
  ],
];
test.each(notes)("%s is a note: the path streams", (id, over, finding) => {
  const { verdict, findings } = diagnose(examination(over));
  expect(verdict).toBe("streams");
  expect(findings).toMatchObject([{ id, severity: "note", ...finding }]);
});

test.each([
  ["x-cache", "Hit from cloudfront"],
  ["cf-cache-status", "HIT"],
  ["x-vercel-cache", "HIT"],
  ["x-cache-status", "HIT"],
  ["cache-status", "edge; hit"],
  ["age", "3"],
])("an answer with %s: %s comes from a cache", (name, value) => {
  expect(found({ headers: { ...stream, [name]: value } })).toMatchObject([
    { id: "cached", severity: "fault" },
  ]);
  expect(found({ headers: { ...stream, [name]: value === "3" ? "0" : "MISS" } })).toEqual([]);
});

const cutAt = (count: number, endMs: number, end: Recording["end"]) =>
  found({ blocks: createBlocks().slice(0, count), end, endMs });

test("an answer without its end is cut off, also if its body ended in order", () => {
  for (const end of ["whole", "broken"] as const) {
    expect(cutAt(20, 2000, end)).toMatchObject([{ id: "cut-off" }]);
    expect(cutAt(20, 60_000, end)).toMatchObject([{ id: "cut-in-silence" }]);
  }
  expect(cutAt(20, 2000, "left")).toEqual([]);
  const what = "The answer ended after 0.04 s, before any of it arrived.";
  expect(cutAt(0, 40, "whole")).toMatchObject([{ id: "cut-off", what }]);
});

test("an answer in another wire may end in any way, unless its connection breaks", () => {
  const blocks = createBlocks()
    .slice(1, 20)
    .map((block) => ({ ...block, type: "{}" }));
  expect(found({ blocks })).toEqual([]);
  expect(found({ blocks, end: "broken" })).toMatchObject([{ id: "cut-off" }]);
});

test("only a server of this package has promised to send something before an agent begins", () => {
  const lateBy = (ms: number, blocks: Block[]) =>
    blocks.map((block, at) => ({ ...block, beganMs: ms + 9 * at, atMs: ms + (at < 12 ? 0 : 9 * at) }));
  const [opening, ...rest] = lateBy(3000, createBlocks());
  const idsOf = (blocks: Block[]) => found({ blocks }).map(({ id }) => id);
  expect(idsOf([opening!, ...rest])).toEqual(["held-back"]);
  expect(idsOf(rest)).toEqual(["late-start"]);
});

test("a route that answers a bad request is compared with the request itself", () => {
  const what = (over: Partial<Recording>) =>
    found(over, { controlMs: undefined }).map((finding) => finding.what);
  expect(what(held)).toEqual([
    "The answer is held back: all 32 events arrived together, 3.00 s after the request.",
  ]);
  const atTwoMoments = held.blocks!.map((block, at) =>
    at < 16 ? block : { ...block, beganMs: 3100, atMs: 3100 },
  );
  expect(what({ ...held, blocks: atTwoMoments })).toEqual([
    "The answer is held back: all 32 events arrived within 0.10 s, 3.00 s after the request.",
  ]);
  expect(what({ blocks: createBlocks(1200), headersMs: 1200 })).toEqual([
    "The first bytes came 1.20 s after the request.",
  ]);
});

test("a proxy may count the time for which it held a new answer back as its age", () => {
  const idsOf = (age: string) => found({ headersMs: 3000, headers: { ...stream, age } }).map(({ id }) => id);
  expect([idsOf("4"), idsOf("5")]).toEqual([[], ["cached"]]);
});

test("the heartbeat that is recommended is half of the silence at most", () => {
  const heartbeatFor = (silenceMs: number) => cutAt(2, 30 + silenceMs, "broken")[0]!.fixes[0];
  expect(heartbeatFor(1100)).toContain("`heartbeatMs: 500`");
  expect(heartbeatFor(5000)).toContain("`heartbeatMs: 2000`");
});

test("a silence in which heartbeats were due is not blamed on an idle timeout", () => {
  const culpritAfter = (silenceMs: number, comment = "hb=8000") => {
    const [opening, first] = createBlocks();
    const blocks = [{ ...opening!, comment }, first!];
    return found({ blocks, end: "broken", endMs: 30 + silenceMs })[0]!;
  };
  expect(culpritAfter(9800).culprit).toMatch(/^An idle timeout that is shorter .*, 8\.00 s\./);
  expect(culpritAfter(9801).culprit).toMatch(/^Heartbeats, which .* every 8\.00 s, did not arrive/);
  expect(culpritAfter(60_000, "hb=0")).toMatchObject({
    culprit: expect.stringMatching(/^An idle timeout, because the route sends no heartbeats\./),
    fixes: ["`heartbeatMs: 8000` in the options of the route"],
  });
});

test("a server that gives up its connection in order, with a time to retry, has cut nothing off", () => {
  expect(found({ blocks: createBlocks().slice(0, 20), retryMs: 500 })).toEqual([]);
});

test("bursts are a note, and a fault if the server sends one by one", () => {
  const blocks = createBlocks().map((block) => {
    const atMs = 1000 * Math.ceil(block.atMs / 1000);
    return { ...block, atMs, beganMs: atMs };
  });
  const bursts = examination({ blocks });
  const findingOf = (direct?: Examination) => diagnose(bursts, direct).findings[0];
  expect(findingOf()).toMatchObject({ id: "in-bursts", severity: "note" });
  expect(findingOf(bursts)).toMatchObject({ id: "in-bursts", severity: "note" });
  expect(findingOf(examination())).toMatchObject({
    severity: "fault",
    culprit: expect.stringMatching(/^Asked directly, the route streams/),
  });
});

const resumed = (over: Partial<Recording>) =>
  found({}, { resumed: { afterId: "r.5", recording: answer({ blocks: [], ...over }) } });

test("a run is lost unless what follows its event comes, or nothing follows", () => {
  const next = { beganMs: 1, atMs: 1, type: "text-delta", id: "r.6" };
  expect(resumed({ blocks: [next] })).toEqual([]);
  expect(resumed({ status: 204 })).toEqual([]);
  expect(resumed({ blocks: [{ ...next, id: "r.5" }] })).toMatchObject([{ id: "lost-run" }]);
  expect(resumed({ status: 405 })).toMatchObject([{ culprit: "GET requests do not reach the route." }]);
});

const held: Partial<Recording> = {
  blocks: createBlocks().map((block) => ({ ...block, beganMs: 3000, atMs: 3000 })),
  headers: { ...stream, "content-encoding": "gzip" },
};

test("compression is the culprit only if the same answer streams without it", () => {
  const idOf = (plainAnswer: Recording) => found(held, { plainAnswer })[0]!.id;
  expect(idOf(answer())).toBe("held-back-by-compression");
  expect(idOf(answer(held))).toBe("held-back");
  expect(idOf(answer({ status: 500, blocks: [] }))).toBe("held-back");
});

test("an answer that was held back has no note on its late start, nor on its agent", () => {
  const idsOf = (over: Partial<Recording>) => found(over).map(({ id }) => id);
  expect(idsOf(held)).toEqual(["held-back"]);
  const [opening, ...rest] = createBlocks();
  const late = rest.map((block) => ({ ...block, beganMs: 20_000, atMs: 20_000 }));
  expect(idsOf({ blocks: [opening!, ...late] })).toEqual(["held-back"]);
});

test("a note is no fault of the server if it applies directly, too", () => {
  const http1 = examination({ httpVersion: "1.1" });
  expect(diagnose(http1, http1).findings).toEqual(diagnose(http1).findings);
});

test("a fault is in the server if the same happens directly, and in front of it if not", () => {
  const culpritOf = (direct: Examination) => diagnose(examination(held), direct).findings[0]!.culprit;
  expect(culpritOf(examination(held))).toBe("The server itself: asked directly, the same happens.");
  expect(culpritOf(examination())).toMatch(
    /^Asked directly, the route streams, so the cause is in front of it\. No/,
  );
  const inFront = examination({ ...held, headers: { ...stream, server: "nginx" } });
  expect(diagnose(inFront).findings[0]!.fixes).toEqual([expect.stringContaining("nginx")]);
  expect(diagnose(inFront, examination(held)).findings[0]!.fixes).toEqual([]);
  // What was not seen directly proves nothing.
  expect(culpritOf(examination({ blocks: createBlocks().slice(0, 1), end: "left" }))).toMatch(
    /^No header names/,
  );
});

test("an answer that shows nothing is unclear", () => {
  const blocks = createBlocks().map((block) => ({ ...block, beganMs: 30, atMs: 30 }));
  expect(diagnose(examination({ blocks }))).toEqual({ verdict: "unclear", findings: [] });
});
