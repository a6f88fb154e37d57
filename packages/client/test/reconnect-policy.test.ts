import { StreamProtocolError, StreamTruncatedError } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReconnectPolicy, type ReconnectFailure } from "../src/reconnect-policy.ts";
import {
  StreamConnectionError,
  StreamContentTypeError,
  StreamHttpError,
  StreamIdleError,
} from "../src/stream-errors.ts";

type Outcome =
  | { isResume: boolean; attempt: number; floorMs: number; jitterMs: number }
  | { failedWith: unknown };

interface PolicyOptions {
  idempotent?: boolean;
  canRefreshHeaders?: boolean;
  maxReconnects?: number;
  random?: () => number;
}

function policyOf({ canRefreshHeaders = false, random = () => 0, ...options }: PolicyOptions = {}) {
  const headers = canRefreshHeaders ? () => ({}) : {};
  const nextStep = createReconnectPolicy({ ...options, headers }, random);
  return {
    next(failure: ReconnectFailure): Outcome {
      try {
        const [isResume, attempt, floorMs, jitterMs] = nextStep(failure);
        return { isResume, attempt, floorMs, jitterMs };
      } catch (error) {
        return { failedWith: error };
      }
    },
  };
}

const failureOf = (error: unknown, failure: Partial<ReconnectFailure> = {}): ReconnectFailure => ({
  error,
  lastEventId: "",
  retryMs: undefined,
  newChunks: 0,
  ...failure,
});

const status = (code: number, body: unknown = "", headers: HeadersInit = {}) =>
  new StreamHttpError(new Response(null, { status: code, headers }), body);
const draining = (retryAfter?: string) =>
  status(503, { error: "Restarting.", code: "draining" }, retryAfter ? { "retry-after": retryAfter } : {});

const passing: [string, unknown][] = [
  ["a truncated body", new StreamTruncatedError()],
  ["a silent connection", new StreamIdleError(26_000)],
  ["no response", new StreamConnectionError("/", new TypeError("fetch failed"))],
  ...[408, 425, 429, 500, 502, 503, 504].map((code): [string, unknown] => [`status ${code}`, status(code)]),
];
const lasting: [string, unknown][] = [
  ...[400, 401, 402, 403, 404, 406, 409, 410, 413, 415, 422, 431, 451, 501, 505].map(
    (code): [string, unknown] => [`status ${code}`, status(code)],
  ),
  ["another content type", new StreamContentTypeError(new Response("<html>"), "text/event-stream")],
  ["a gap in the events", new StreamProtocolError("sequence-gap", "A gap.")],
  ["data that is not JSON", new StreamProtocolError("invalid-json", "No JSON.")],
  ["what an option's function threw", new Error("no token")],
  ["what is no Error", "plain text"],
  ["nothing", undefined],
];

/** Events came that can be resumed behind. */
const resumable = { lastEventId: "run.3" };

describe("what follows", () => {
  for (const [name, error] of passing) {
    test(`${name} is: resumed with event ids; repeated when idempotent and nothing came; else the end`, () => {
      expect(policyOf().next(failureOf(error, resumable))).toMatchObject({ isResume: true, attempt: 1 });
      expect(policyOf({ idempotent: true }).next(failureOf(error))).toMatchObject({
        isResume: false,
        attempt: 1,
      });
      expect(policyOf().next(failureOf(error))).toEqual({ failedWith: error });
      expect(policyOf({ idempotent: true }).next(failureOf(error, { newChunks: 1 }))).toEqual({
        failedWith: error,
      });
    });
  }

  for (const [name, error] of lasting) {
    test(`${name} is the end, whatever could be asked again`, () => {
      for (const failure of [failureOf(error), failureOf(error, resumable)]) {
        const step = policyOf({ idempotent: true }).next(failure);
        expect(step).toEqual({ failedWith: error });
      }
    });
  }

  test("ids that are no event ids of a run is as without ids", () => {
    for (const lastEventId of ["7", "run", ".3", "run.", "run.03", "run.-1"]) {
      const error = new StreamTruncatedError();
      const step = policyOf({ idempotent: true }).next(failureOf(error, { lastEventId, newChunks: 1 }));
      expect(step).toEqual({ failedWith: error });
    }
  });

  test("an event id without a chunk is resumed, not repeated", () => {
    const step = policyOf({ idempotent: true }).next(
      failureOf(new StreamTruncatedError(), { lastEventId: "run.0" }),
    );
    expect(step).toMatchObject({ isResume: true });
  });
});

describe("a server that is about to end", () => {
  test("is asked again, although the request may not be made twice", () => {
    expect(policyOf().next(failureOf(draining("1")))).toEqual({
      isResume: false,
      attempt: 1,
      floorMs: 1_000,
      jitterMs: 0,
    });
  });

  test("is told by 503 and the code, not by either alone", () => {
    for (const error of [
      status(503, { code: "busy" }),
      status(503, "draining"),
      status(503, null),
      status(500, { code: "draining" }),
    ]) {
      expect(policyOf().next(failureOf(error))).toEqual({ failedWith: error });
    }
  });

  test("is not asked again when chunks have come that cannot be resumed behind", () => {
    expect(policyOf().next(failureOf(draining(), { newChunks: 1 }))).toHaveProperty("failedWith");
  });
});

describe("headers that were refused", () => {
  for (const code of [401, 403]) {
    test(`(${code}) are asked for again once, at once and without counting, when they come from a function`, () => {
      const refresh = { attempt: 0, floorMs: 0, jitterMs: 0 };
      for (const [failure, isResume] of [
        [{}, false],
        [resumable, true],
        [{ retryMs: 5_000 }, false],
      ] as const) {
        const policy = policyOf({ canRefreshHeaders: true, maxReconnects: 0 });
        const error = status(code, "", { "retry-after": "9" });
        expect(policy.next(failureOf(error, failure))).toEqual({ isResume, ...refresh });
        expect(policy.next(failureOf(error, failure))).toEqual({ failedWith: error });
      }
    });
  }

  test("of both statuses are asked for again once in all, not once each", () => {
    const policy = policyOf({ canRefreshHeaders: true });
    expect(policy.next(failureOf(status(401)))).toMatchObject({ isResume: false });
    expect(policy.next(failureOf(status(403)))).toHaveProperty("failedWith");
  });

  test("may be refused again after something new has come", () => {
    const policy = policyOf({ canRefreshHeaders: true });
    const truncated = failureOf(new StreamTruncatedError(), { ...resumable, newChunks: 1 });
    for (let connection = 0; connection < 3; connection++) {
      expect(policy.next(truncated)).toMatchObject({ isResume: true, attempt: 1 });
      expect(policy.next(failureOf(status(401), resumable))).toMatchObject({ isResume: true, attempt: 0 });
      expect(policy.next(failureOf(status(502), resumable))).toMatchObject({ isResume: true, attempt: 2 });
    }
  });

  test("are not asked for again behind chunks that cannot be resumed behind", () => {
    const error = status(401);
    const policy = policyOf({ canRefreshHeaders: true, idempotent: true });
    expect(policy.next(failureOf(error, { newChunks: 1 }))).toEqual({ failedWith: error });
  });

  test("are the end when they are a value, which has nothing else to say", () => {
    const error = status(401);
    expect(policyOf().next(failureOf(error, resumable))).toEqual({ failedWith: error });
  });
});

describe("a route without GET (405)", () => {
  test("leaves the error of the outage, because it is why the answer is incomplete", () => {
    const policy = policyOf();
    const outage = new StreamTruncatedError();
    policy.next(failureOf(outage, { ...resumable, newChunks: 1 }));
    expect(policy.next(failureOf(status(405), resumable))).toEqual({ failedWith: outage });
  });

  test("leaves it also when another status came between", () => {
    const policy = policyOf();
    const outage = new StreamIdleError(60_000);
    policy.next(failureOf(outage, { ...resumable, newChunks: 1 }));
    policy.next(failureOf(status(502), resumable));
    expect(policy.next(failureOf(status(405), resumable))).toEqual({ failedWith: outage });
  });

  test("is an error like any other when nothing was to be resumed", () => {
    const error = status(405);
    const policy = policyOf({ idempotent: true });
    expect(policy.next(failureOf(new StreamConnectionError("/", "offline")))).toMatchObject({ attempt: 1 });
    expect(policy.next(failureOf(error))).toEqual({ failedWith: error });
  });
});

describe("the delay", () => {
  const truncated = failureOf(new StreamTruncatedError(), resumable);

  test("is a random part of 0.5 s, doubled by every attempt that brings nothing, up to 20 s", () => {
    const policy = policyOf({ random: () => 0.5 });
    const steps = Array.from({ length: 8 }, () => policy.next(truncated));
    expect(steps).toEqual(
      [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000].map((jitterMs, index) => ({
        isResume: true,
        attempt: index + 1,
        floorMs: 0,
        jitterMs,
      })),
    );
  });

  test("begins anew when something new has come", () => {
    const policy = policyOf({ random: () => 0.5 });
    policy.next(truncated);
    policy.next(truncated);
    expect(policy.next({ ...truncated, newChunks: 1 })).toMatchObject({ attempt: 1, jitterMs: 250 });
    expect(policy.next(truncated)).toMatchObject({ attempt: 2, jitterMs: 500 });
  });

  test("is on top of the server's retry, and of retry-after, which wins, 0 included", () => {
    const floorOf = (error: unknown, retryMs?: number) =>
      policyOf({ random: () => 0.5 }).next(failureOf(error, { ...resumable, retryMs }));
    expect(floorOf(new StreamTruncatedError(), 3_000)).toMatchObject({ floorMs: 3_000, jitterMs: 250 });
    expect(floorOf(status(503), 3_000)).toMatchObject({ floorMs: 3_000 });
    expect(floorOf(status(503, "", { "retry-after": "7" }), 3_000)).toMatchObject({ floorMs: 7_000 });
    expect(floorOf(status(503, "", { "retry-after": "0" }), 3_000)).toMatchObject({ floorMs: 0 });
    expect(floorOf(status(503, "", { "retry-after": "soon" }), 3_000)).toMatchObject({ floorMs: 3_000 });
  });

  test("that the server wants is borne up to 2 minutes", () => {
    const stepAt = (retryAfter: string) =>
      policyOf().next(failureOf(status(429, "", { "retry-after": retryAfter }), resumable));
    expect(stepAt("120")).toMatchObject({ isResume: true, floorMs: 120_000 });
    expect(stepAt("121")).toMatchObject({ failedWith: { status: 429 } });
    expect(policyOf().next({ ...truncated, retryMs: 120_001 })).toHaveProperty("failedWith");
  });
});

describe("maxReconnects", () => {
  const truncated = failureOf(new StreamTruncatedError(), resumable);

  test("is how many attempts in a row may bring nothing new", () => {
    const policy = policyOf({ maxReconnects: 2 });
    const steps = Array.from({ length: 3 }, () => policy.next(truncated));
    expect(steps).toMatchObject([{ isResume: true }, { isResume: true }, { failedWith: truncated.error }]);
    expect(policy.next({ ...truncated, newChunks: 1 })).toMatchObject({ isResume: true, attempt: 1 });
  });

  test("of 0 never reconnects", () => {
    expect(policyOf({ maxReconnects: 0 }).next({ ...truncated, newChunks: 1 })).toHaveProperty("failedWith");
  });
});

const anyFailure = fc.record<ReconnectFailure>({
  error: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...passing.map(([, error]) => error)) },
    { weight: 1, arbitrary: fc.constantFrom(...lasting.map(([, error]) => error)) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(draining(), draining("4"), draining("120"), draining("999"), status(405)),
    },
  ),
  lastEventId: fc.constantFrom("", "7", "run.0", "run.12"),
  retryMs: fc.option(fc.oneof(fc.nat(10_000), fc.nat(200_000)), { nil: undefined }),
  newChunks: fc.nat(1),
});

test("over any failures and any randomness: the delay is in its bounds, the attempts are counted and limited, and nothing is repeated that could do harm", () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.nat(12),
      fc.array(fc.tuple(anyFailure, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), {
        maxLength: 40,
      }),
      (idempotent, canRefreshHeaders, maxReconnects, failures) => {
        let random = 0;
        const policy = policyOf({ idempotent, canRefreshHeaders, maxReconnects, random: () => random });
        let attempts = 0;
        let refreshes = 0;
        let hasChunks = false;
        let known = "";
        for (const [failure, value] of failures) {
          const { error, lastEventId, retryMs, newChunks } = failure;
          random = value;
          if (newChunks > 0 || lastEventId !== known) {
            attempts = 0;
            refreshes = 0;
          }
          known = lastEventId;
          hasChunks ||= newChunks > 0;
          const step = policy.next(failure);
          if ("failedWith" in step) {
            if (!(error instanceof StreamHttpError && error.status === 405)) {
              expect(step.failedWith).toBe(error);
            }
            continue;
          }
          const hasId = lastEventId.startsWith("run.");
          expect(step.isResume).toBe(hasId);
          if (step.attempt === 0) {
            expect(error).toMatchObject({ status: expect.toBeOneOf([401, 403]) });
            expect([canRefreshHeaders, ++refreshes]).toEqual([true, 1]);
            expect(step).toMatchObject({ floorMs: 0, jitterMs: 0 });
            expect(hasId || !hasChunks).toBe(true);
            continue;
          }
          expect(passing.some(([, one]) => one === error) || (error as StreamHttpError).status === 503).toBe(
            true,
          );
          expect(step.attempt).toBe(++attempts);
          expect(attempts).toBeLessThanOrEqual(maxReconnects);
          const retryAfterMs = error instanceof StreamHttpError ? error.retryAfterMs : undefined;
          expect(step.floorMs).toBe(retryAfterMs ?? retryMs ?? 0);
          expect(step.floorMs).toBeLessThanOrEqual(120_000);
          expect(step.jitterMs).toBeGreaterThanOrEqual(0);
          expect(step.jitterMs).toBeLessThan(Math.min(20_000, 500 * 2 ** (attempts - 1)));
          if (!step.isResume) {
            const isDraining = error instanceof StreamHttpError && error.message.endsWith("Restarting.");
            expect({ hasChunks, mayRepeat: idempotent || isDraining }).toEqual({
              hasChunks: false,
              mayRepeat: true,
            });
          }
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a route without GET leaves the outage, whatever the attempts since then have met", () => {
  const policy = policyOf();
  const outage = new StreamTruncatedError();
  policy.next(failureOf(outage, { ...resumable, newChunks: 1 }));
  policy.next(failureOf(new StreamConnectionError("/", new TypeError("fetch failed")), resumable));
  expect(policy.next(failureOf(status(405), resumable))).toEqual({ failedWith: outage });
});
