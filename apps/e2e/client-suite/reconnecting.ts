/**
 * A run that outlives its connections: whatever happens to them, the consumer receives its whole log once.
 */
import { createSeededRandom } from "../seeded-random.ts";
import {
  assertSpaced,
  assertWaited,
  assertWhole,
  attemptsOf,
  bytesIn,
  cutRun,
  failureOf,
  follow,
  followAndInspect,
  messages,
  type Plan,
  size,
  status,
  unanswered,
} from "./follow-run.ts";
import { doneMarker } from "./frames.ts";
import { repeatedRequests } from "./repeated-requests.ts";
import { printRun, type RunAnswer } from "./run-log.ts";
import { assert, assertEqual, newId, type SuiteCase } from "./suite-case.ts";

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

export const reconnectingCases: SuiteCase[] = [...cuts, ...waits, ...repeatedRequests];
