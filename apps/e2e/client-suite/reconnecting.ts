/**
 * A run that outlives its connections: whatever happens to them, the consumer receives its whole log once.
 */
import { createSeededRandom } from "../seeded-random.ts";
import { type Answer, answerUrl } from "./answer.ts";
import {
  assertSpaced,
  assertWaited,
  assertWhole,
  attemptsOf,
  bytesIn,
  causesOf,
  type Followed,
  failureOf,
  follow,
  followAndInspect,
  messages,
  type Plan,
  twoEntriesOf,
} from "./follow-run.ts";
import { done, doneMarker, frame } from "./frames.ts";
import { printRun, type RunAnswer, runLog } from "./run-log.ts";
import { assert, assertEqual, newId, queryServer, type SuiteCase } from "./suite-case.ts";

const size = 4;
const cutRun = (answer: Partial<RunAnswer> = {}): RunAnswer => ({
  size,
  bytes: twoEntriesOf({ size, ...answer }),
  ...answer,
});
const unanswered: Answer = { hasNoHeaders: true, ending: "reset" };
const status = (code: number, headers: Record<string, string> = {}): Answer => ({ status: code, headers });

const cuts: SuiteCase[] = [
  {
    name: "a cut after any byte is resumed, with the same transcript",
    async run(context) {
      const answer: RunAnswer = { size: 2, heartbeatMs: 8000, retryMs: 0 };
      const whole = bytesIn(printRun(newId(), -1, answer));
      const completeFrom = whole - bytesIn(doneMarker);
      for (let bytes = 0; bytes <= whole; bytes++) {
        const followed = await follow(context, [{ ...answer, bytes }, { size: 2 }], { runs: true });
        assertWhole(followed, 2, `cut after ${bytes} bytes`);
        assertEqual(
          followed.requestTimes.length,
          bytes < completeFrom ? 2 : 1,
          `requests, cut after ${bytes} bytes`,
        );
      }
    },
  },
  {
    name: "random cuts, including closed and reset sockets, give the transcript of an uncut run",
    async run(context) {
      const random = createSeededRandom(1);
      // After more cuts within a few seconds, the client ignores the server's `retry: 0` and waits longer.
      const cuts = 4;
      // A cut lets two entries through on average, so no run is over before the last one.
      const long = cuts * 10;
      const endings = ["end", "cut", "reset"] as const;
      for (let rest = context.randomCuts; rest > 0; rest -= cuts * 25) {
        const streams = Array.from({ length: 25 }, async () => {
          const plan: Plan = Array.from({ length: cuts }, () => ({
            size: long,
            retryMs: 0,
            bytes: Math.floor(random() * 600),
            ending: endings[Math.floor(random() * 3)]!,
          }));
          const cut = await follow(context, [...plan, { size: long }], { runs: true });
          assertEqual(cut.requestTimes.length, cuts + 1, "requests");
          const uncut = await follow(context, [{ size: long }], {}, cut.runId);
          assertEqual(uncut.requestTimes.length, 1, "requests for the uncut run");
          assertWhole(uncut, long, "the uncut run");
          assertEqual({ error: cut.error, chunks: cut.chunks }, { chunks: uncut.chunks }, "the transcript");
        });
        await Promise.all(streams);
      }
    },
  },
  {
    name: "a resume is a GET with last-event-id and without a body",
    async run(context) {
      const followed = await followAndInspect(context, [cutRun(), { size }]);
      assertWhole(followed, size, "the transcript");
      const [post, get] = followed.requests;
      assertEqual([post?.method, post?.body], ["POST", { messages }], "the first request");
      const { accept, "last-event-id": lastEventId, "content-type": contentType } = get!.headers;
      assertEqual(
        { method: get!.method, body: get!.body, accept, lastEventId, contentType },
        { method: "GET", accept: "text/event-stream", lastEventId: `${followed.runId}.1` },
        "the second request",
      );
      assertEqual(attemptsOf(followed), [[1, 0, "truncated"]], "the attempts");
      assertEqual(
        followed.changes.map(({ state }) => state),
        ["open", "reconnecting", "open"],
        "the states",
      );
    },
  },
  {
    name: "a dead connection that was never closed is detected, closed and resumed",
    async run(context) {
      const options = { idleTimeoutMs: 500 };
      const followed = await followAndInspect(context, [cutRun({ ending: "hold" }), { size }], options);
      assertWhole(followed, size, "the transcript");
      assertEqual(attemptsOf(followed), [[1, 0, "idle"]], "the attempts");
      assertEqual(followed.requests[0]?.wasAborted, true, "the dead connection is closed");
    },
  },
  {
    name: "a dead connection is detected when its heartbeats stop, after three intervals plus 2 s",
    async run(context) {
      const followed = await follow(context, [cutRun({ ending: "hold", heartbeatMs: 20 }), { size }]);
      assertWhole(followed, size, "the transcript");
      assertEqual(attemptsOf(followed), [[1, 0, "idle"]], "the attempts");
      const [open, lost] = followed.changes;
      assert(lost!.at - open!.at > 2_000, `given up after ${lost!.at - open!.at} ms`);
    },
  },
  {
    name: "events that the server repeats are dropped",
    async run(context) {
      const followed = await follow(context, [cutRun(), { size, replays: true }]);
      assertWhole(followed, size, "the transcript");
      assertEqual(followed.requestTimes.length, 2, "requests");
    },
  },
];

const waits: SuiteCase[] = [
  {
    name: "the server's retry delays every later reconnect",
    async run(context) {
      const followed = await follow(context, [cutRun({ retryMs: 300 }), unanswered, { size }]);
      assertWhole(followed, size, "the transcript");
      assertEqual(
        attemptsOf(followed),
        [
          [1, 300, "truncated"],
          [2, 300, "connection"],
        ],
        "the attempts",
      );
      assertWaited(followed, 300);
    },
  },
  {
    name: "retry-after of a 503 and of a 429 replaces the server's retry",
    async run(context) {
      const later = { "retry-after": "1" };
      const plan = [cutRun({ retryMs: 50 }), status(503, later), status(429, later), { size }];
      const followed = await follow(context, plan);
      assertWhole(followed, size, "the transcript");
      assertEqual(
        attemptsOf(followed),
        [
          [1, 50, "truncated"],
          [2, 1_000, "http-status"],
          [3, 1_000, "http-status"],
        ],
        "the attempts",
      );
      assertWaited(followed, 50, 1_000, 1_000);
    },
  },
  {
    name: "retry-after as a date is respected",
    async run(context) {
      // A date has whole seconds, so this one is 2 to 3 s away.
      const date = new Date(Date.now() + 3_000).toUTCString();
      const followed = await follow(context, [cutRun(), status(503, { "retry-after": date }), { size }]);
      assertWhole(followed, size, "the transcript");
      const delayMs = attemptsOf(followed)[1]![1] as number;
      assert(delayMs > 0 && delayMs <= 3_000, `a delay of ${delayMs} ms was announced`);
      assertWaited(followed, 0, delayMs);
    },
  },
  {
    name: "a server that requests a delay of hours ends the stream",
    async run(context) {
      const followed = await follow(context, [cutRun(), status(503, { "retry-after": "7200" })]);
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 503 },
        "error",
      );
      assertEqual(followed.requestTimes.length, 2, "requests");
    },
  },
  {
    name: "a browser that comes online, or a page that becomes visible, shortens the delay",
    where: "page",
    isAlone: true,
    async run(context) {
      const { random } = Math;
      Math.random = () => 0.99;
      const online = () => window.dispatchEvent(new Event("online"));
      const becomeVisible = () => document.dispatchEvent(new Event("visibilitychange"));
      /** Whether each request was made before it was due. */
      const early: boolean[] = [];
      let isDue = true;
      let timer: ReturnType<typeof setTimeout> | undefined;
      try {
        const plan = [cutRun(), unanswered, unanswered, { size }];
        const followed = await follow(context, plan, {
          fetch(url, init) {
            early.push(!isDue);
            return fetch(url, init);
          },
          onConnectionChange(change) {
            if (change.state !== "reconnecting") return;
            isDue = false;
            clearTimeout(timer);
            timer = setTimeout(() => {
              isDue = true;
            }, change.delayMs);
            setTimeout(change.attempt === 1 ? becomeVisible : online);
          },
        });
        assertWhole(followed, size, "the transcript");
        assertEqual(early, [false, true, true, true], "the early requests");
        // No event makes them more frequent than that.
        assertSpaced(followed);
      } finally {
        Math.random = random;
      }
    },
  },
];

/** Headers with a new token for each evaluation, and the tokens of the requests. */
function createTokens() {
  let count = 0;
  const headers = () => ({ authorization: `token-${++count}` });
  const seenBy = ({ requests }: Followed) => requests.map(({ headers }) => headers.authorization);
  return { headers, seenBy };
}

const repeats: SuiteCase[] = [
  {
    name: "a 401 on resume is retried once, at once, with newly evaluated headers",
    async run(context) {
      const { headers, seenBy } = createTokens();
      const followed = await followAndInspect(context, [cutRun(), status(401), { size }], { headers });
      assertWhole(followed, size, "the transcript");
      assertEqual(seenBy(followed), ["token-1", "token-2", "token-3"], "the tokens");
      assertEqual(attemptsOf(followed), [[1, 0, "truncated"]], "the announced attempts");
    },
  },
  {
    name: "a second 401 on resume is final",
    async run(context) {
      const { headers, seenBy } = createTokens();
      const followed = await followAndInspect(context, [cutRun(), status(401)], { headers });
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 401 },
        "error",
      );
      assertEqual(seenBy(followed), ["token-1", "token-2", "token-3"], "the tokens");
    },
  },
  {
    name: "a 401 or 403 is final if the headers cannot change, and retried once for a POST if they can",
    async run(context) {
      const refusal = { name: "StreamHttpError", code: "http-status", status: 403 };
      const fixed = await follow(context, [cutRun(), status(403)], { headers: { authorization: "fixed" } });
      assertEqual([failureOf(fixed), fixed.requestTimes.length], [refusal, 2], "fixed headers");
      const { headers, seenBy } = createTokens();
      const followed = await followAndInspect(context, [status(403), { size }], { headers });
      assertWhole(followed, size, "the transcript");
      assertEqual(seenBy(followed), ["token-1", "token-2"], "the tokens");
    },
  },
  {
    name: "a POST refused by a draining server is repeated, with or without runs",
    async run(context) {
      const draining: Answer = {
        status: 503,
        headers: { "content-type": "application/json", "retry-after": "1" },
        body: '{"error":"The server is about to end.","code":"draining"}',
      };
      const followed = await followAndInspect(context, [draining, { size }]);
      assertWhole(followed, size, "the transcript");
      assertEqual(
        followed.requests.map(({ method, body }) => [method, body]),
        [
          ["POST", { messages }],
          ["POST", { messages }],
        ],
        "the requests",
      );
      assertWaited(followed, 1_000);
    },
  },
  {
    name: "a POST without a response on a route with runs is repeated with the same key, and starts one run",
    async run(context) {
      // The second request reaches the server, which starts the run, but its response is lost.
      const plan = [status(503), { size, bytes: 0, ending: "reset" } as const, unanswered, { size }];
      const followed = await followAndInspect(context, plan, { runs: true });
      assertWhole(followed, size, "the transcript");
      assertEqual(followed.requestTimes.length, 4, "requests");
      const keys = followed.requests.map(({ body }) => (body as { idempotencyKey: string }).idempotencyKey);
      assert(/^[\x21-\x7e]{1,128}$/.test(keys[0] ?? ""), `a key: ${keys[0]}`);
      assertEqual(new Set(keys).size, 1, "keys");
      assertEqual(await queryServer(context, "/runs", followed.runId), { begun: 1 }, "runs");
    },
  },
  {
    name: "a POST without a response is not repeated on a route without runs",
    async run(context) {
      for (const lost of [unanswered, { size, bytes: 0 }]) {
        const followed = await follow(context, [lost, { size }]);
        const name = lost === unanswered ? "StreamConnectionError" : "StreamTruncatedError";
        assertEqual((followed.error as Error | undefined)?.name, name, "the error");
        assertEqual(followed.requestTimes.length, 1, "requests");
      }
    },
  },
  {
    name: "a POST without a response on a route with runs is made twice, then the error is thrown",
    async run({ client, refusedUrl }) {
      let requestTimes = 0;
      const endpoint = () => {
        requestTimes++;
        return refusedUrl;
      };
      const reading = client.consumeStream(client.streamChatFromRoute({ endpoint, messages, runs: true }));
      const error = await reading.catch((thrown: unknown) => thrown);
      assertEqual(
        [(error as Error).name, requestTimes],
        ["StreamConnectionError", 2],
        "the error and the number of requests",
      );
    },
  },
  {
    name: "a POST that fails with 500 on a route with runs is made twice",
    async run(context) {
      const followed = await follow(context, [status(500)], { runs: true });
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 500 },
        "error",
      );
      assertEqual(followed.requestTimes.length, 2, "requests");
    },
  },
  {
    name: "a resume is retried after every status of a CDN with an unavailable origin, and a POST after none",
    async run(context) {
      for (const code of [500, 502, 520, 521, 522, 523, 524, 525, 526, 529, 530]) {
        const followed = await follow(context, [cutRun({ retryMs: 0 }), status(code), { size }]);
        assertWhole(followed, size, `the transcript after ${code}`);
      }
      const posted = await follow(context, [status(521), { size }], { runs: true });
      assertEqual(
        [posted.requestTimes.length, (posted.error as Error).name],
        [1, "StreamHttpError"],
        "the POST",
      );
    },
  },
  {
    name: "a GET without a response is repeated",
    async run({ client, baseUrl }) {
      const runId = newId();
      const steps = [unanswered, { body: frame(done) + doneMarker }];
      const endpoint = () => answerUrl(baseUrl, runId, steps.shift()!);
      const { outcome } = await client.consumeStream(client.streamFromRoute({ endpoint, method: "GET" }));
      assertEqual([outcome, steps.length], ["done", 0], "the outcome and the remaining steps");
    },
  },
  {
    name: "attempts and giveUpAfterMs count from the last progress",
    async run(context) {
      const twoEach = Array.from({ length: 4 }, () => ({ size: 20, bytes: twoEntriesOf({ size: 20 }) }));
      const followed = await follow(context, [...twoEach, { size: 20 }], { giveUpAfterMs: 8_000 });
      assertWhole(followed, 20, "the transcript");
      assertEqual(causesOf(followed), Array(4).fill([1, "truncated"]), "the attempts");
      assertSpaced(followed);
    },
  },
  {
    name: "the error of the last attempt is thrown after giveUpAfterMs without data",
    async run(context) {
      const plan = [cutRun(), unanswered, { bytes: 0, size }, status(503)];
      const followed = await follow(context, plan, { giveUpAfterMs: 10_000 });
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 503 },
        "error",
      );
      assertEqual(followed.chunks, runLog(followed.runId, size).slice(0, 2), "the chunks before it");
      assertEqual(
        causesOf(followed),
        [
          [1, "truncated"],
          [2, "connection"],
          [3, "truncated"],
        ],
        "the attempts",
      );
      assertSpaced(followed);
      assertEqual(followed.requestTimes.length, 4, "requests");
    },
  },
];

export const reconnectingCases: SuiteCase[] = [...cuts, ...waits, ...repeats];
