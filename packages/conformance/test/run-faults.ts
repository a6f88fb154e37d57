/** The faults of runs: of their log, of resuming, of repeated requests, and of stops. */
import {
  changeStream,
  changeStreams,
  type Fault,
  type FaultyRequest,
  fieldsOf,
  type Handler,
  json,
} from "./faulty-servers.ts";

const cursorOf = ({ headers }: FaultyRequest) => /^(.+)\.(\d+)$/.exec(headers.get("last-event-id") ?? "");

/** The request without the header `Last-Event-ID`, and with another query. */
function withQuery(request: FaultyRequest, query: Record<string, string>): Request {
  const headers = new Headers(request.headers);
  headers.delete("last-event-id");
  return request.with({ headers, query: new URLSearchParams(query) });
}

/** Changes the requests of one method that `change` knows. */
const changeRequests =
  (method: string, change: (request: FaultyRequest) => Request | Response | undefined): Fault["handle"] =>
  async (request, forward) => {
    const changed = request.method === method ? change(request) : undefined;
    return changed instanceof Response ? changed : forward(changed ?? request.with({}));
  };

/** A POST to the same server. */
const another = (request: FaultyRequest): Request =>
  new Request(request.with({ query: new URLSearchParams() }).url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ messages: [{ role: "user", content: "conformance:echo Another" }] }),
  });

const stopped = { type: "abort", reason: "stopped" };
const notFound = () => json({ error: "No such run.", code: "run-not-found" }, 404);
const numbered = "the events of a run are numbered from 0, without a gap";
const resumed = "a resumed stream follows the grammar, and has one end";
const malformed = "a malformed event id is refused";
const malformedPosition = "a malformed position is refused";
const concurrent = "two POSTs with one idempotencyKey at the same time get one run";
const otherRun = "a repeated POST with the event id of another run is refused";
const trimmed = "the id of a session is trimmed";
const everyPosition = "an ended run is resumed after every position";
const failedRun = "a failed run is resumed with its error";
const byQuery = "a run is found by ?run=, and by ?run= with ?after=";
const precedence = "Last-Event-ID takes precedence over the query";
const nothingFollows = "204: nothing follows the last event";
const opening = "the stream of an open run announces its heartbeats before the first event";
const lostConnection = "a connection that is lost in mid-answer is resumed, also by two readers";
const unknownRun = "an unknown run is refused";
const repeatedPost =
  "a repeated POST with its idempotencyKey gets the same run, from its beginning or after Last-Event-ID";
const latestOfSession = "the latest run of a session is found, open and ended";
const emptySession = "204: the session has no run";
const stopForAll = "a stop ends the run for every reader, for good";
const repeatedStop = "a repeated stop gets the same response";
const stopOfEnded = "a stop of an ended run changes nothing, and gets its terminal";
const stopByKey = "a run is stopped by its idempotencyKey";
const earlyStop = "a stop that comes before its POST stops the run at its start";

const logFaults: Fault[] = [
  {
    name: "positions begin at 1",
    breaks: [numbered],
    isWide: true,
    handle: changeStreams((event) =>
      event.replace(/^(id: .*\.)(\d+)$/m, (_, run, at) => run + (Number(at) + 1)),
    ),
  },
  {
    name: "every answer is the same run",
    breaks: ["each answer is a run of its own"],
    isWide: true,
    handle: changeStreams((event) => event.replace(/[0-9a-f-]{36}/g, "one")),
  },
  {
    name: "heartbeats are not announced",
    breaks: [opening],
    timeoutMs: 10_000,
    handle: changeStreams((event) => (event.startsWith(":hb") ? "" : event)),
  },
  {
    name: "heartbeats are announced after the first event",
    breaks: [opening],
    async handle(request, forward) {
      let hasBegun = false;
      return changeStream(await forward(request.with({})), (event) => {
        if (event.startsWith(":hb") && !hasBegun) return "";
        if (hasBegun) return event;
        hasBegun = true;
        return `${event}:hb=20\n\n`;
      });
    },
  },
  {
    name: "the run-start names another run",
    breaks: ["a run begins with its run-start, which names it"],
    handle: changeStreams((event) => event.replace('"runId":"', '"runId":"x')),
  },
  {
    name: "a run ends without a terminal",
    breaks: ["a run has one terminal, at its end"],
    isWide: true,
    handle: changeStreams((event) => (event.includes('"done"') ? "" : event)),
  },
  {
    name: "every client gets ids",
    breaks: ["a client that has not shown that it reads ids gets none"],
    handle: changeRequests("POST", (request) => {
      const headers = new Headers(request.headers);
      headers.set("accept", "text/event-stream");
      return request.with({ headers });
    }),
  },
];

const resumeFaults: Fault[] = [
  {
    name: "a run is always followed from its beginning",
    breaks: [
      everyPosition,
      failedRun,
      precedence,
      nothingFollows,
      lostConnection,
      byQuery,
      latestOfSession,
      malformed,
      malformedPosition,
    ],
    handle: changeRequests("GET", (request) => {
      const query = Object.fromEntries(request.query);
      const run = cursorOf(request)?.[1] ?? query.run;
      if (run !== undefined) return withQuery(request, { run });
      return query.session === undefined ? undefined : withQuery(request, { session: query.session });
    }),
  },
  {
    name: "the last event is repeated",
    breaks: [everyPosition, failedRun, precedence, nothingFollows, lostConnection, malformed],
    handle: changeRequests("GET", (request) => {
      const [, run, at] = cursorOf(request) ?? [];
      if (run === undefined) return undefined;
      return withQuery(request, at === "0" ? { run } : { run, after: String(Number(at) - 1) });
    }),
  },
  {
    name: "the query takes precedence",
    breaks: [precedence],
    handle: changeRequests("GET", (request) =>
      request.query.has("after") ? withQuery(request, Object.fromEntries(request.query)) : undefined,
    ),
  },
  {
    name: "an empty stream stands for nothing",
    breaks: [nothingFollows, emptySession],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      return response.status === 204
        ? new Response("data: [DONE]\n\n", { headers: { "content-type": "text/event-stream" } })
        : response;
    },
  },
  {
    name: "an unknown run is nothing to follow",
    breaks: [unknownRun],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      return request.method === "GET" && response.status === 404
        ? new Response(null, { status: 204 })
        : response;
    },
  },
  {
    name: "an event id of another form is an unknown run",
    breaks: [malformed],
    handle: changeRequests("GET", (request) =>
      request.headers.has("last-event-id") && !cursorOf(request) ? notFound() : undefined,
    ),
  },
  {
    name: "a GET without a run is an unknown run",
    breaks: ["a GET that names no run is refused"],
    handle: changeRequests("GET", (request) =>
      request.headers.has("last-event-id") || request.query.size > 0 ? undefined : notFound(),
    ),
  },
  {
    name: "the keys of requests are ignored",
    breaks: [
      repeatedPost,
      concurrent,
      otherRun,
      "an idempotencyKey with another body is refused",
      stopByKey,
      earlyStop,
    ],
    handle: changeRequests("POST", (request) => {
      const { idempotencyKey: key, ...fields } = fieldsOf(request);
      // A wrong one is refused all the same.
      return typeof key === "string" && key.length === 36
        ? request.with({ body: JSON.stringify(fields) })
        : undefined;
    }),
  },
  {
    name: "two POSTs at the same time do not see each other's key",
    breaks: [concurrent],
    async handle(request, forward) {
      const { idempotencyKey: key, ...fields } = fieldsOf(request);
      if (typeof key !== "string") return forward(request.with({}));
      const open = keysOf(forward);
      if (open.has(key)) return forward(request.with({ body: JSON.stringify(fields) }));
      open.add(key);
      return forward(request.with({})).finally(() => open.delete(key));
    },
  },
  {
    name: "a repeated POST begins after any position",
    breaks: [otherRun],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      const isRefused = request.method === "POST" && response.status === 400 && cursorOf(request);
      return isRefused ? forward(withQuery(request, {})) : response;
    },
  },
  {
    name: "a number at the beginning is a position",
    breaks: [malformed, malformedPosition],
    handle: changeRequests("GET", (request) => {
      const headers = new Headers(request.headers);
      const query = new URLSearchParams(request.query);
      const [cursor, after] = [headers.get("last-event-id"), query.get("after")];
      if (cursor?.endsWith("x")) headers.set("last-event-id", cursor.slice(0, -1));
      if (after?.endsWith("x")) query.set("after", after.slice(0, -1));
      return request.with({ headers, query });
    }),
  },
  {
    name: "a resumed stream has no end",
    breaks: [resumed, failedRun],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      if (request.method !== "GET" || !cursorOf(request)) return response;
      return changeStream(response, (event) => (event === "data: [DONE]\n\n" ? "" : event));
    },
  },
  {
    name: "a repeated POST begins at the beginning",
    breaks: [repeatedPost, otherRun],
    handle: changeRequests("POST", (request) => withQuery(request, {})),
  },
  {
    name: "a GET of a session begins another answer",
    breaks: [latestOfSession, trimmed, emptySession],
    handle: (request, forward) =>
      forward(request.method === "GET" && request.query.has("session") ? another(request) : request.with({})),
  },
];

const stopFaults: Fault[] = [
  {
    name: "a stop ends only its connection",
    breaks: [stopForAll],
    timeoutMs: 300,
    handle: changeRequests("DELETE", ({ query }) => json({ runId: query.get("run"), terminal: stopped })),
  },
  {
    name: "a stopped answer has no end",
    breaks: ["[DONE] ends a stopped answer"],
    async handle(request, forward) {
      let isStopped = false;
      return changeStream(await forward(request.with({})), (event) => {
        isStopped ||= event.includes('"abort"');
        return isStopped && event === "data: [DONE]\n\n" ? "" : event;
      });
    },
  },
  {
    name: "a follower gets the end twice",
    breaks: [stopForAll],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      const isFollower = request.method === "GET" && request.query.has("run");
      if (!isFollower) return response;
      return changeStream(response, (event) => (event.includes('"abort"') ? event + event : event));
    },
  },
  {
    name: "every stop reports that it stopped the run",
    breaks: [stopOfEnded],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      if (request.method !== "DELETE" || response.status !== 200) return response;
      return json({ ...(await response.json()), terminal: stopped });
    },
  },
  {
    name: "a stopped run is forgotten",
    breaks: [repeatedStop, stopForAll, stopOfEnded],
    handle: forgetStopped(),
  },
  {
    name: "no run is found by its key",
    breaks: [stopByKey, earlyStop, "a stop by a key that cannot be one is refused"],
    handle: changeRequests("DELETE", ({ query }) => (query.has("key") ? notFound() : undefined)),
  },
  {
    name: "a text comes before an early stop",
    breaks: [earlyStop],
    handle: changeStreams((event) => {
      const [, run, abort] = /^id: (.*)\.0\n(data: {"type":"abort".*)/.exec(event) ?? [];
      if (run === undefined) return event;
      return `id: ${run}.0\ndata: {"type":"text-delta","delta":"Hello"}\n\nid: ${run}.1\n${abort}\n\n`;
    }),
  },
  {
    name: "an early stop is forgotten",
    breaks: [earlyStop],
    async handle(request, forward) {
      const key = request.query.get("key") ?? "";
      const isKnown = keysOf(forward).has(key) || key.length !== 36;
      if (request.method === "DELETE" && !isKnown) return json({ runId: null, terminal: null }, 202);
      const { idempotencyKey } = fieldsOf(request);
      if (typeof idempotencyKey === "string") keysOf(forward).add(idempotencyKey);
      return forward(request.with({}));
    },
  },
  {
    name: "a stop of any run succeeds",
    breaks: [
      "a stop of an unknown run is refused",
      "a stop that names no run is refused",
      "a stop by a key that cannot be one is refused",
    ],
    async handle(request, forward) {
      const response = await forward(request.with({}));
      return request.method === "DELETE" && response.status >= 400
        ? json({ runId: "", terminal: stopped })
        : response;
    },
  },
  {
    name: "no run is stopped by its session",
    breaks: ["a stop by the session ends its open run"],
    handle: changeRequests("DELETE", ({ query }) => (query.has("session") ? notFound() : undefined)),
  },
];

/** The keys that a server has seen. */
const seenKeys = new WeakMap<Handler, Set<string>>();

function keysOf(server: Handler): Set<string> {
  const keys = seenKeys.get(server) ?? new Set();
  seenKeys.set(server, keys);
  return keys;
}

function forgetStopped(): Fault["handle"] {
  const forgotten = new Set<string>();
  return async (request, forward) => {
    const run = request.query.get("run") ?? "";
    if (forgotten.has(run)) return notFound();
    if (request.method === "DELETE" && run !== "") forgotten.add(run);
    return forward(request.with({}));
  };
}

export const faultsOfRuns: Fault[] = [...logFaults, ...resumeFaults, ...stopFaults];
