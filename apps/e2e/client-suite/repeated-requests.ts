/**
 * Requests that a client makes again, and those that it must not: after a refusal, without a response, and until it gives
 * up.
 */
import { type Answer, answerUrl } from "./answer.ts";
import {
  assertSpaced,
  assertWaited,
  assertWhole,
  attemptsOf,
  causesOf,
  cutRun,
  type Followed,
  failureOf,
  follow,
  followAndInspect,
  messages,
  size,
  status,
  twoEntriesOf,
  unanswered,
} from "./follow-run.ts";
import { done, doneMarker, frame } from "./frames.ts";
import { runLog } from "./run-log.ts";
import { assert, assertEqual, newId, queryServer, type SuiteCase } from "./suite-case.ts";

/** Headers with a new token for each evaluation, and the tokens of the requests. */
function createTokens() {
  let count = 0;
  const headers = () => ({ authorization: `token-${++count}` });
  const seenBy = ({ requests }: Followed) => requests.map(({ headers }) => headers.authorization);
  return { headers, seenBy };
}

export const repeatedRequests: SuiteCase[] = [
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
