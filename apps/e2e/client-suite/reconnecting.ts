/**
 * A run that outlives its connections: whatever happens to them, the consumer gets its log once and whole.
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
  followAndAsk,
  messages,
  type Plan,
  twoEntriesOf,
} from "./follow-run.ts";
import { done, doneMarker, frame } from "./frames.ts";
import { printRun, type RunAnswer, runLog } from "./run-log.ts";
import { ask, assert, assertEqual, newId, type SuiteCase } from "./suite-case.ts";

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
    name: "a cut behind every byte is resumed, and the transcript is the same",
    async run(context) {
      const answer: RunAnswer = { size: 2, heartbeatMs: 8000, retryMs: 0 };
      const whole = bytesIn(printRun(newId(), -1, answer));
      const completeFrom = whole - bytesIn(doneMarker);
      for (let bytes = 0; bytes <= whole; bytes++) {
        const followed = await follow(context, [{ ...answer, bytes }, { size: 2 }], { runs: true });
        assertWhole(followed, 2, `cut behind ${bytes} bytes`);
        assertEqual(
          followed.asked.length,
          bytes < completeFrom ? 2 : 1,
          `requests, cut behind ${bytes} bytes`,
        );
      }
    },
  },
  {
    name: "random cuts, closed and reset sockets among them, give the transcript of an uncut run",
    async run(context) {
      const random = createSeededRandom(1);
      // A server that cuts more often within a few seconds is left alone for some, whatever it requests.
      const cuts = 4;
      // A cut lets through two entries on average: no run is over before the last one.
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
          assertEqual(cut.asked.length, cuts + 1, "requests");
          const uncut = await follow(context, [{ size: long }], {}, cut.runId);
          assertEqual(uncut.asked.length, 1, "requests for the uncut run");
          assertWhole(uncut, long, "the uncut run");
          assertEqual({ error: cut.error, chunks: cut.chunks }, { chunks: uncut.chunks }, "the transcript");
        });
        await Promise.all(streams);
      }
    },
  },
  {
    name: "a resume asks with GET and last-event-id, and sends no body",
    async run(context) {
      const followed = await followAndAsk(context, [cutRun(), { size }]);
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
    name: "a connection that is dead without having been closed is noticed, closed and resumed",
    async run(context) {
      const options = { idleTimeoutMs: 500 };
      const followed = await followAndAsk(context, [cutRun({ ending: "hold" }), { size }], options);
      assertWhole(followed, size, "the transcript");
      assertEqual(attemptsOf(followed), [[1, 0, "idle"]], "the attempts");
      assertEqual(followed.requests[0]?.wasLeft, true, "the dead connection is closed");
    },
  },
  {
    name: "a dead connection is noticed by the heartbeats that do not come, 2 s and three of them later",
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
      assertEqual(followed.asked.length, 2, "requests");
    },
  },
];

const waits: SuiteCase[] = [
  {
    name: "the server's retry is waited for, on every reconnect from there on",
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
    name: "retry-after of a 503 and of a 429 is waited for, in place of the server's retry",
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
    name: "retry-after as a date is waited for",
    async run(context) {
      // A date has whole seconds: this one is 2 to 3 s away.
      const date = new Date(Date.now() + 3_000).toUTCString();
      const followed = await follow(context, [cutRun(), status(503, { "retry-after": date }), { size }]);
      assertWhole(followed, size, "the transcript");
      const delayMs = attemptsOf(followed)[1]![1] as number;
      assert(delayMs > 0 && delayMs <= 3_000, `${delayMs} ms were to be waited`);
      assertWaited(followed, 0, delayMs);
    },
  },
  {
    name: "a server that wants to be left alone for hours is not waited for",
    async run(context) {
      const followed = await follow(context, [cutRun(), status(503, { "retry-after": "7200" })]);
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 503 },
        "error",
      );
      assertEqual(followed.asked.length, 2, "requests");
    },
  },
  {
    name: "the browser that is online again, or the page that is looked at, shortens the back-off",
    where: "page",
    isAlone: true,
    async run(context) {
      const { random } = Math;
      Math.random = () => 0.99;
      const online = () => window.dispatchEvent(new Event("online"));
      const looked = () => document.dispatchEvent(new Event("visibilitychange"));
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
            setTimeout(change.attempt === 1 ? looked : online);
          },
        });
        assertWhole(followed, size, "the transcript");
        assertEqual(early, [false, true, true, true], "the requests that came early");
        // No event makes them more frequent than that.
        assertSpaced(followed);
      } finally {
        Math.random = random;
      }
    },
  },
];

/** What headers are asked for, one token after the other, and which requests had which. */
function createTokens() {
  let count = 0;
  const headers = () => ({ authorization: `token-${++count}` });
  const seenBy = ({ requests }: Followed) => requests.map(({ headers }) => headers.authorization);
  return { headers, seenBy };
}

const repeats: SuiteCase[] = [
  {
    name: "401 on resume is asked again once, at once, with headers that are evaluated again",
    async run(context) {
      const { headers, seenBy } = createTokens();
      const followed = await followAndAsk(context, [cutRun(), status(401), { size }], { headers });
      assertWhole(followed, size, "the transcript");
      assertEqual(seenBy(followed), ["token-1", "token-2", "token-3"], "the tokens");
      assertEqual(attemptsOf(followed), [[1, 0, "truncated"]], "the attempts that were announced");
    },
  },
  {
    name: "a second 401 on resume is the end",
    async run(context) {
      const { headers, seenBy } = createTokens();
      const followed = await followAndAsk(context, [cutRun(), status(401)], { headers });
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 401 },
        "error",
      );
      assertEqual(seenBy(followed), ["token-1", "token-2", "token-3"], "the tokens");
    },
  },
  {
    name: "401 and 403 are not asked again where the headers cannot change, and to a POST once where they can",
    async run(context) {
      const refusal = { name: "StreamHttpError", code: "http-status", status: 403 };
      const fixed = await follow(context, [cutRun(), status(403)], { headers: { authorization: "fixed" } });
      assertEqual([failureOf(fixed), fixed.asked.length], [refusal, 2], "fixed headers");
      const { headers, seenBy } = createTokens();
      const followed = await followAndAsk(context, [status(403), { size }], { headers });
      assertWhole(followed, size, "the transcript");
      assertEqual(seenBy(followed), ["token-1", "token-2"], "the tokens");
    },
  },
  {
    name: "a POST that a draining server refused is made again, with runs or without",
    async run(context) {
      const draining: Answer = {
        status: 503,
        headers: { "content-type": "application/json", "retry-after": "1" },
        body: '{"error":"The server is about to end.","code":"draining"}',
      };
      const followed = await followAndAsk(context, [draining, { size }]);
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
    name: "a POST without an answer to a route with runs is made again with the same key, and begins one run",
    async run(context) {
      // The second one has reached the server, which has begun the run, and told nothing of it.
      const plan = [status(503), { size, bytes: 0, ending: "reset" } as const, unanswered, { size }];
      const followed = await followAndAsk(context, plan, { runs: true });
      assertWhole(followed, size, "the transcript");
      assertEqual(followed.asked.length, 4, "requests");
      const keys = followed.requests.map(({ body }) => (body as { idempotencyKey: string }).idempotencyKey);
      assert(/^[\x21-\x7e]{1,128}$/.test(keys[0] ?? ""), `a key: ${keys[0]}`);
      assertEqual(new Set(keys).size, 1, "keys");
      assertEqual(await ask(context, "/runs", followed.runId), { begun: 1 }, "runs");
    },
  },
  {
    name: "a POST without an answer is not made again, unless the route has runs",
    async run(context) {
      for (const lost of [unanswered, { size, bytes: 0 }]) {
        const followed = await follow(context, [lost, { size }]);
        const name = lost === unanswered ? "StreamConnectionError" : "StreamTruncatedError";
        assertEqual((followed.error as Error | undefined)?.name, name, "the error");
        assertEqual(followed.asked.length, 1, "requests");
      }
    },
  },
  {
    name: "a POST without an answer is made twice where the route has runs, and then it is told what the cause may be",
    async run({ client, refusedUrl }) {
      let asked = 0;
      const endpoint = () => {
        asked++;
        return refusedUrl;
      };
      const reading = client.consumeStream(client.streamChatFromRoute({ endpoint, messages, runs: true }));
      const error = await reading.catch((thrown: unknown) => thrown);
      assertEqual([(error as Error).name, asked], ["StreamConnectionError", 2], "the error, and requests");
    },
  },
  {
    name: "a POST that fails on the server is made twice where the route has runs",
    async run(context) {
      const followed = await follow(context, [status(500)], { runs: true });
      assertEqual(
        failureOf(followed),
        { name: "StreamHttpError", code: "http-status", status: 500 },
        "error",
      );
      assertEqual(followed.asked.length, 2, "requests");
    },
  },
  {
    name: "a resume gets over every status of a CDN whose origin is away, a POST over none",
    async run(context) {
      for (const code of [500, 502, 520, 521, 522, 523, 524, 525, 526, 529, 530]) {
        const followed = await follow(context, [cutRun({ retryMs: 0 }), status(code), { size }]);
        assertWhole(followed, size, `the transcript after ${code}`);
      }
      const posted = await follow(context, [status(521), { size }], { runs: true });
      assertEqual([posted.asked.length, (posted.error as Error).name], [1, "StreamHttpError"], "the POST");
    },
  },
  {
    name: "a GET without an answer is made again",
    async run({ client, baseUrl }) {
      const runId = newId();
      const steps = [unanswered, { body: frame(done) + doneMarker }];
      const endpoint = () => answerUrl(baseUrl, runId, steps.shift()!);
      const { outcome } = await client.consumeStream(client.streamFromRoute({ endpoint, method: "GET" }));
      assertEqual([outcome, steps.length], ["done", 0], "the outcome, and what was not asked");
    },
  },
  {
    name: "attempts and giveUpAfterMs are counted from the last progress on",
    async run(context) {
      const twoEach = Array.from({ length: 4 }, () => ({ size: 20, bytes: twoEntriesOf({ size: 20 }) }));
      const followed = await follow(context, [...twoEach, { size: 20 }], { giveUpAfterMs: 8_000 });
      assertWhole(followed, 20, "the transcript");
      assertEqual(causesOf(followed), Array(4).fill([1, "truncated"]), "the attempts");
      assertSpaced(followed);
    },
  },
  {
    name: "when nothing has come for giveUpAfterMs, the error of the last attempt is thrown",
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
      assertEqual(followed.asked.length, 4, "requests");
    },
  },
];

export const reconnectingCases: SuiteCase[] = [...cuts, ...waits, ...repeats];
