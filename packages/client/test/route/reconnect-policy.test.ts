import { StreamProtocolError, StreamTruncatedError } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ReconnectFailure,
  ReconnectPolicy,
  type ReconnectStep,
} from "../../src/route/reconnect-policy.ts";
import {
  StreamConnectionError,
  StreamContentTypeError,
  StreamHttpError,
  StreamIdleError,
} from "../../src/stream/errors.ts";

type Outcome = ReconnectStep | { failedWith: unknown };

interface PolicyOptions {
  method?: string;
  runs?: boolean;
  canRefreshHeaders?: boolean;
  giveUpAfterMs?: number;
  random?: () => number;
}

function policyOf({ canRefreshHeaders = false, random = () => 0, ...options }: PolicyOptions = {}) {
  const headers = canRefreshHeaders ? () => ({}) : {};
  const policy = new ReconnectPolicy({ ...options, headers }, random);
  return {
    next(failure: ReconnectFailure): Outcome {
      try {
        return policy.next(failure);
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
  silentMs: 0,
  sinceRequestMs: 0,
  isOffline: false,
  ...failure,
});

const status = (code: number, body: unknown = "", headers: HeadersInit = {}) =>
  new StreamHttpError(new Response(null, { status: code, headers }), body);
const draining = (retryAfter?: string) =>
  status(503, { error: "Restarting.", code: "draining" }, retryAfter ? { "retry-after": retryAfter } : {});
const refused = new StreamConnectionError("/", new TypeError("fetch failed"));

const passing: [string, unknown][] = [
  ["a truncated body", new StreamTruncatedError()],
  ["a silent connection", new StreamIdleError(26_000)],
  ["no response", refused],
  ...[408, 425, 429, 500, 502, 503, 504].map((code): [string, unknown] => [`status ${code}`, status(code)]),
];
/** Transient for a GET, final for a POST. */
const passingOfGet = [506, 507, 508, 510, 511, 520, 521, 522, 523, 524, 525, 526, 529, 530, 599].map(
  (code): [string, unknown] => [`status ${code}`, status(code)],
);
const lasting: [string, unknown][] = [
  ...[400, 401, 402, 403, 404, 406, 409, 410, 413, 415, 422, 431, 451, 501, 505].map(
    (code): [string, unknown] => [`status ${code}`, status(code)],
  ),
  ["a wrong content type", new StreamContentTypeError(new Response("<html>"), "text/event-stream")],
  ["a gap in the events", new StreamProtocolError("sequence-gap", "A gap.")],
  ["data that is not JSON", new StreamProtocolError("invalid-json", "No JSON.")],
  ["an error from an option's function", new Error("no token")],
  ["a thrown non-Error", "plain text"],
  ["nothing", undefined],
];

/** Events arrived, and the stream can be resumed after the last one. */
const resumable = { lastEventId: "run.3" };

describe("a failure", () => {
  for (const [name, error] of passing) {
    test(`(${name}) is resumed with event ids, repeated with runs before the first chunk, and final otherwise`, () => {
      expect(policyOf().next(failureOf(error, resumable))).toMatchObject({ isResume: true, attempt: 1 });
      expect(policyOf({ runs: true }).next(failureOf(error))).toMatchObject({
        isResume: false,
        attempt: 1,
      });
      expect(policyOf().next(failureOf(error))).toEqual({ failedWith: error });
      expect(policyOf({ runs: true }).next(failureOf(error, { newChunks: 1 }))).toEqual({
        failedWith: error,
      });
    });
  }

  for (const [name, error] of passingOfGet) {
    test(`(${name}) is retried by a GET and final for a POST`, () => {
      expect(policyOf().next(failureOf(error, resumable))).toMatchObject({ isResume: true, attempt: 1 });
      expect(policyOf({ method: "GET" }).next(failureOf(error))).toMatchObject({
        isResume: false,
        attempt: 1,
      });
      expect(policyOf({ runs: true }).next(failureOf(error))).toEqual({ failedWith: error });
    });
  }

  for (const [name, error] of lasting) {
    test(`(${name}) is final, even if the request could be repeated`, () => {
      for (const failure of [failureOf(error), failureOf(error, resumable)]) {
        const step = policyOf({ runs: true }).next(failure);
        expect(step).toEqual({ failedWith: error });
      }
    });
  }

  test("with ids that are not event ids of a run is treated as a failure without ids", () => {
    for (const lastEventId of ["7", "run", ".3", "run.", "run.03", "run.-1"]) {
      const error = new StreamTruncatedError();
      const step = policyOf({ runs: true }).next(failureOf(error, { lastEventId, newChunks: 1 }));
      expect(step).toEqual({ failedWith: error });
    }
  });

  test("after an event id without a chunk is resumed, not repeated", () => {
    const step = policyOf({ runs: true }).next(
      failureOf(new StreamTruncatedError(), { lastEventId: "run.0" }),
    );
    expect(step).toMatchObject({ isResume: true });
  });
});

describe("a draining server", () => {
  test("receives the request again, even one that may not be repeated otherwise", () => {
    expect(policyOf().next(failureOf(draining("1")))).toEqual({
      isResume: false,
      attempt: 1,
      minMs: 1_000,
      delayMs: 1_000,
    });
  });

  test("is recognized by 503 and the code together, not by either alone", () => {
    for (const error of [
      status(503, { code: "busy" }),
      status(503, "draining"),
      status(503, null),
      status(500, { code: "draining" }),
    ]) {
      expect(policyOf().next(failureOf(error))).toEqual({ failedWith: error });
    }
  });

  test("does not receive the request again after chunks that cannot be resumed", () => {
    expect(policyOf().next(failureOf(draining(), { newChunks: 1 }))).toHaveProperty("failedWith");
  });
});

describe("refused headers", () => {
  for (const code of [401, 403]) {
    test(`(${code}) from a function are evaluated again once, at once and without counting as an attempt`, () => {
      const refresh = { attempt: 0, minMs: 0, delayMs: 0 };
      for (const [failure, isResume] of [
        [{}, false],
        [resumable, true],
        [{ retryMs: 5_000 }, false],
      ] as const) {
        const policy = policyOf({ canRefreshHeaders: true, giveUpAfterMs: 0 });
        const error = status(code, "", { "retry-after": "9" });
        expect(policy.next(failureOf(error, failure))).toEqual({ isResume, ...refresh });
        expect(policy.next(failureOf(error, failure))).toEqual({ failedWith: error });
      }
    });
  }

  test("are evaluated again once in total, not once per status", () => {
    const policy = policyOf({ canRefreshHeaders: true });
    expect(policy.next(failureOf(status(401)))).toMatchObject({ isResume: false });
    expect(policy.next(failureOf(status(403)))).toHaveProperty("failedWith");
  });

  test("may be refused again after a new chunk", () => {
    const policy = policyOf({ canRefreshHeaders: true });
    const truncated = failureOf(new StreamTruncatedError(), { ...resumable, newChunks: 1 });
    for (let connection = 0; connection < 3; connection++) {
      expect(policy.next(truncated)).toMatchObject({ isResume: true, attempt: 1 });
      expect(policy.next(failureOf(status(401), resumable))).toMatchObject({ isResume: true, attempt: 0 });
      expect(policy.next(failureOf(status(502), resumable))).toMatchObject({ isResume: true, attempt: 2 });
    }
  });

  test("are not evaluated again after chunks that cannot be resumed", () => {
    const error = status(401);
    const policy = policyOf({ canRefreshHeaders: true, runs: true });
    expect(policy.next(failureOf(error, { newChunks: 1 }))).toEqual({ failedWith: error });
  });

  test("are final when they are a value, which cannot change", () => {
    const error = status(401);
    expect(policyOf().next(failureOf(error, resumable))).toEqual({ failedWith: error });
  });
});

describe("a route without GET (405)", () => {
  test("fails with the error of the outage, the reason why the answer is incomplete", () => {
    const policy = policyOf();
    const outage = new StreamTruncatedError();
    policy.next(failureOf(outage, { ...resumable, newChunks: 1 }));
    expect(policy.next(failureOf(status(405), resumable))).toEqual({ failedWith: outage });
  });

  test("fails with the error of the outage even after another status in between", () => {
    const policy = policyOf();
    const outage = new StreamIdleError(60_000);
    policy.next(failureOf(outage, { ...resumable, newChunks: 1 }));
    policy.next(failureOf(status(502), resumable));
    expect(policy.next(failureOf(status(405), resumable))).toEqual({ failedWith: outage });
  });

  test("fails with its own error when there was nothing to resume", () => {
    const error = status(405);
    const policy = policyOf({ runs: true });
    expect(policy.next(failureOf(refused))).toMatchObject({ attempt: 1 });
    expect(policy.next(failureOf(error))).toEqual({ failedWith: error });
  });
});

describe("a request without a response", () => {
  const again = { isResume: false };

  test("is made twice while there is a network, whatever its method", () => {
    for (const options of [{ runs: true }, { method: "GET" }]) {
      const policy = policyOf(options);
      expect(policy.next(failureOf(refused))).toMatchObject({ ...again, attempt: 1 });
      expect(policy.next(failureOf(refused))).toEqual({ failedWith: refused });
    }
  });

  test("is repeated while the browser is offline, and twice from then on", () => {
    const policy = policyOf({ runs: true });
    for (let attempt = 1; attempt <= 20; attempt++) {
      expect(policy.next(failureOf(refused, { isOffline: true }))).toMatchObject({ ...again, attempt });
    }
    expect(policy.next(failureOf(refused))).toMatchObject(again);
    expect(policy.next(failureOf(refused))).toEqual({ failedWith: refused });
  });

  test("may be repeated more often if an earlier attempt received a status or a body", () => {
    for (const answer of [status(503), new StreamTruncatedError(), new StreamIdleError(60_000)]) {
      const policy = policyOf({ runs: true });
      policy.next(failureOf(answer));
      for (let attempt = 2; attempt < 50; attempt++) {
        expect(policy.next(failureOf(refused))).toMatchObject({ ...again, attempt });
      }
    }
  });

  test("may be repeated more often if the stream was interrupted after an event", () => {
    const policy = policyOf();
    policy.next(failureOf(new StreamTruncatedError(), { ...resumable, newChunks: 1 }));
    for (let attempt = 2; attempt < 50; attempt++) {
      expect(policy.next(failureOf(refused, resumable))).toMatchObject({ isResume: true, attempt });
    }
  });
});

describe("status 500", () => {
  test("is retried once by a POST, even with other failures in between", () => {
    const policy = policyOf({ runs: true });
    const error = status(500);
    expect(policy.next(failureOf(error))).toMatchObject({ isResume: false, attempt: 1 });
    expect(policy.next(failureOf(status(503)))).toMatchObject({ isResume: false, attempt: 2 });
    expect(policy.next(failureOf(error))).toEqual({ failedWith: error });
  });

  test("is retried by a GET until giveUpAfterMs", () => {
    for (const [options, failure] of [
      [{}, resumable],
      [{ method: "GET" }, {}],
    ] as const) {
      const policy = policyOf(options);
      for (let attempt = 1; attempt < 50; attempt++) {
        expect(policy.next(failureOf(status(500), failure))).toMatchObject({ attempt });
      }
    }
  });
});

describe("the delay", () => {
  const truncated = failureOf(new StreamTruncatedError(), resumable);
  const timesAt = (value: number, count = 6, failure = truncated) => {
    const policy = policyOf({ random: () => value });
    return Array.from({ length: count }, () => {
      const { minMs, delayMs } = policy.next(failure) as ReconnectStep;
      return [minMs, delayMs];
    });
  };

  test("is at most 3.5 s for the first attempt, and 3.5 to 4.75 s for every later one", () => {
    expect(timesAt(0)).toEqual([[0, 0], ...Array(5).fill([3_500, 3_500])]);
    expect(timesAt(0.5)).toEqual([[0, 1_750], ...Array(5).fill([3_500, 4_125])]);
    expect(timesAt(1)).toEqual([[0, 3_500], ...Array(5).fill([3_500, 4_750])]);
  });

  test("counts from the last request, not from its failure", () => {
    const policy = policyOf({ random: () => 1 });
    policy.next(truncated);
    const stepAfter = (sinceRequestMs: number) => policy.next({ ...truncated, sinceRequestMs });
    expect(stepAfter(1_000)).toMatchObject({ minMs: 2_500, delayMs: 3_750 });
    expect(stepAfter(3_499)).toMatchObject({ minMs: 1, delayMs: 1_251 });
    expect(stepAfter(3_500)).toMatchObject({ minMs: 0, delayMs: 1_250 });
    expect(stepAfter(60_000)).toMatchObject({ minMs: 0, delayMs: 1_250 });
  });

  test("starts over when a connection has delivered a chunk and lasted 3.5 s", () => {
    const policy = policyOf({ random: () => 0.5 });
    const cutAfter = (sinceRequestMs: number) => policy.next({ ...truncated, newChunks: 1, sinceRequestMs });
    policy.next(truncated);
    policy.next(truncated);
    expect(cutAfter(3_500)).toMatchObject({ attempt: 1, minMs: 0, delayMs: 1_750 });
    expect(policy.next(truncated)).toMatchObject({ attempt: 2, delayMs: 4_125 });
    expect(cutAfter(500)).toMatchObject({ attempt: 1, minMs: 3_000, delayMs: 3_625 });
    expect(cutAfter(500)).toMatchObject({ attempt: 1, minMs: 3_000, delayMs: 3_625 });
  });

  test("is at most 3.5 s even if the very first connection is cut early", () => {
    const step = policyOf({ random: () => 1 }).next({ ...truncated, newChunks: 1, sinceRequestMs: 100 });
    expect(step).toMatchObject({ attempt: 1, minMs: 0, delayMs: 3_500 });
  });

  test("follows the server (retry-after before retry, even 0) plus a random part that grows with it", () => {
    const stepOf = (error: unknown, retryMs?: number) =>
      policyOf({ random: () => 0.5 }).next(failureOf(error, { ...resumable, retryMs }));
    expect(stepOf(new StreamTruncatedError(), 3_000)).toMatchObject({ minMs: 3_000, delayMs: 4_500 });
    expect(stepOf(status(503), 3_000)).toMatchObject({ minMs: 3_000, delayMs: 4_500 });
    expect(stepOf(status(503, "", { "retry-after": "1" }), 3_000)).toMatchObject({
      minMs: 1_000,
      delayMs: 1_500,
    });
    expect(stepOf(status(503, "", { "retry-after": "60" }))).toMatchObject({
      minMs: 60_000,
      delayMs: 61_750,
    });
    expect(stepOf(status(503, "", { "retry-after": "0" }), 3_000)).toMatchObject({
      minMs: 0,
      delayMs: 125,
    });
    expect(stepOf(status(503, "", { "retry-after": "soon" }), 3_000)).toMatchObject({ minMs: 3_000 });
  });

  test("exceeds a short delay from the server after four attempts in a row without data", () => {
    expect(timesAt(1, 7, { ...truncated, retryMs: 100 })).toEqual([
      [100, 350],
      [100, 600],
      [100, 1_100],
      [100, 2_100],
      ...Array(3).fill([3_500, 4_750]),
    ]);
    expect(timesAt(1, 6, { ...truncated, retryMs: 5_000 })).toEqual([
      ...Array(4).fill([5_000, 8_500]),
      ...Array(2).fill([5_000, 6_250]),
    ]);
  });

  test("also exceeds it after four connections in a row that deliver a chunk and are cut at once", () => {
    expect(timesAt(1, 7, { ...truncated, newChunks: 1, retryMs: 100 })).toEqual([
      ...Array(4).fill([100, 350]),
      ...Array(3).fill([3_500, 4_750]),
    ]);
  });

  test("follows the server again when a connection has lasted 3.5 s", () => {
    const policy = policyOf();
    const cutAfter = (sinceRequestMs: number) =>
      policy.next({ ...truncated, newChunks: 1, retryMs: 100, sinceRequestMs });
    for (let connection = 0; connection < 4; connection++) cutAfter(50);
    expect(cutAfter(50)).toMatchObject({ minMs: 3_450 });
    expect(cutAfter(3_500)).toMatchObject({ minMs: 100, delayMs: 100 });
  });
});

describe("giveUpAfterMs", () => {
  const truncated = failureOf(new StreamTruncatedError(), resumable);
  const giveUp = { failedWith: truncated.error };

  test("is 15 minutes without a byte, regardless of the number of attempts", () => {
    const policy = policyOf();
    for (let attempt = 1; attempt <= 1_000; attempt++) {
      expect(policy.next({ ...truncated, silentMs: 890_000 })).toMatchObject({ attempt });
    }
    expect(policy.next({ ...truncated, silentMs: 900_000 })).toEqual(giveUp);
  });

  test("starts over with every byte, even from a connection that delivered no chunk", () => {
    const policy = policyOf({ giveUpAfterMs: 10_000 });
    for (let attempt = 1; attempt <= 1_000; attempt++) {
      expect(policy.next({ ...truncated, silentMs: attempt % 2 === 0 ? 0 : 6_000 })).toMatchObject({
        attempt,
      });
    }
  });

  test("bounds the last attempt, which is skipped if the minimum delay would exceed the limit", () => {
    const policy = policyOf({ giveUpAfterMs: 20_000, random: () => 1 });
    expect(policy.next({ ...truncated, silentMs: 18_000 })).toMatchObject({ delayMs: 2_000 });
    expect(policy.next({ ...truncated, silentMs: 16_000 })).toMatchObject({ delayMs: 4_000 });
    expect(policy.next({ ...truncated, silentMs: 16_501 })).toEqual(giveUp);
  });

  test("bounds the delay from the server: ten minutes are accepted, an hour is not", () => {
    const stepAt = (retryAfter: string) =>
      policyOf().next(failureOf(status(429, "", { "retry-after": retryAfter }), resumable));
    expect(stepAt("600")).toMatchObject({ isResume: true, minMs: 600_000 });
    expect(stepAt("899")).toMatchObject({ delayMs: 899_000 });
    expect(stepAt("900")).toMatchObject({ failedWith: { status: 429 } });
    expect(stepAt("3600")).toMatchObject({ failedWith: { status: 429 } });
    expect(policyOf().next({ ...truncated, retryMs: 600_000 })).toMatchObject({ minMs: 600_000 });
    expect(policyOf().next({ ...truncated, retryMs: 1e12 })).toEqual(giveUp);
  });

  test("of 0 never reconnects", () => {
    expect(policyOf({ giveUpAfterMs: 0 }).next({ ...truncated, newChunks: 1 })).toEqual(giveUp);
    expect(policyOf({ giveUpAfterMs: 0 }).next(failureOf(draining()))).toHaveProperty("failedWith");
  });

  test("has no effect when it exceeds the range of a timer", () => {
    for (const giveUpAfterMs of [Number.POSITIVE_INFINITY, 2 ** 31]) {
      const policy = policyOf({ giveUpAfterMs });
      expect(policy.next({ ...truncated, silentMs: 1e15 })).toMatchObject({ attempt: 1 });
      expect(policy.next({ ...truncated, retryMs: 1e12 })).toMatchObject({ minMs: 1e12 });
    }
  });

  test("is refused unless it is a number of milliseconds", () => {
    for (const giveUpAfterMs of [Number.NaN, -1]) {
      expect(() => policyOf({ giveUpAfterMs })).toThrow(RangeError);
    }
  });
});

/** Numbers from 0 up to but not including 1, reproducible from the seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Outage {
  /** How long the server is unavailable. */
  outageMs: number;
  /** The error of each attempt during the outage, and the time until it occurs. */
  error: unknown;
  takesMs: number;
}

/** The attempts of one client that loses its server at 0, and the time when it gave up, if it did. */
function simulate({ outageMs, error, takesMs }: Outage, random: () => number) {
  const policy = policyOf({ random });
  const attempts: number[] = [];
  let now = 0;
  let failure = failureOf(new StreamTruncatedError(), { ...resumable, newChunks: 1, sinceRequestMs: 60_000 });
  for (;;) {
    const step = policy.next({ ...failure, silentMs: now });
    if ("failedWith" in step) return { attempts, gaveUpAt: now };
    now += step.delayMs;
    attempts.push(now);
    if (now >= outageMs) return { attempts };
    now += takesMs;
    failure = failureOf(error, { ...resumable, sinceRequestMs: takesMs });
  }
}

/** The attempts of one client whose server sends one event per connection and then cuts it. */
function simulateCuts(
  { firstMs, lastsMs, retryMs }: { firstMs: number; lastsMs: number; retryMs?: number | undefined },
  random: () => number,
) {
  const policy = policyOf({ random });
  const attempts: number[] = [];
  let sinceRequestMs = firstMs;
  for (let now = 0, seq = 0; now < 60_000; seq++) {
    const lost = { lastEventId: `run.${seq}`, newChunks: 1, sinceRequestMs, retryMs };
    const step = policy.next(failureOf(new StreamTruncatedError(), lost)) as ReconnectStep;
    now += step.delayMs;
    attempts.push(now);
    sinceRequestMs = lastsMs;
    now += lastsMs;
  }
  return attempts;
}

const gapsOf = (attempts: number[]): number[] => attempts.slice(1).map((at, last) => at - attempts[last]!);

/** The largest number of moments within one second. */
function mostInASecond(moments: number[]): number {
  const sorted = moments.toSorted((one, other) => one - other);
  let first = 0;
  let most = 0;
  for (const [index, moment] of sorted.entries()) {
    while (sorted[first]! <= moment - 1_000) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

describe("1,000 clients that lose their server", () => {
  const seconds = [0, 0.5, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90, 600];
  const kinds = [
    { error: refused, takesMs: 0 },
    { error: refused, takesMs: 40 },
    { error: status(502), takesMs: 5 },
    { error: status(523), takesMs: 1_000 },
    // The longest time that an attempt may hang.
    { error: new StreamIdleError(3_500), takesMs: 3_500 },
  ];

  for (const [kind, { error, takesMs }] of kinds.entries()) {
    test(`whose requests fail with ${error.name} after ${takesMs} ms retry at most every 2.5 s, at most 40 % in any second, and all return within 5 s`, () => {
      for (const [index, outage] of seconds.entries()) {
        const outageMs = outage * 1_000;
        const random = createRandom(1_000 * kind + index);
        const clients = Array.from({ length: 1_000 }, () => simulate({ outageMs, error, takesMs }, random));
        const gaps = clients.flatMap(({ attempts }) => gapsOf(attempts));
        const backAfter = clients.map(({ attempts }) => attempts.at(-1)! - outageMs);
        expect(clients.filter(({ gaveUpAt }) => gaveUpAt !== undefined)).toEqual([]);
        expect(gaps.reduce((least, gap) => Math.min(least, gap), 5_000)).toBeGreaterThanOrEqual(2_500);
        expect(mostInASecond(clients.flatMap(({ attempts }) => attempts))).toBeLessThanOrEqual(400);
        expect(Math.max(...backAfter)).toBeLessThan(5_000);
      }
    });
  }

  for (const firstMs of [60_000, 200]) {
    for (const lastsMs of [0, 150, 1_000, 3_400]) {
      test(`that get one event and are cut after ${lastsMs} ms, the first time after ${firstMs} ms, retry every 2.5 s to 5 s, and at most 40 % in any second`, () => {
        const random = createRandom(firstMs + lastsMs);
        const clients = Array.from({ length: 1_000 }, () => simulateCuts({ firstMs, lastsMs }, random));
        const gaps = clients.flatMap(gapsOf);
        expect(gaps.reduce((least, gap) => Math.min(least, gap))).toBeGreaterThanOrEqual(2_500);
        expect(gaps.reduce((most, gap) => Math.max(most, gap))).toBeLessThan(5_000);
        expect(mostInASecond(clients.flat())).toBeLessThanOrEqual(400);
      });
    }
  }

  test("that get one event and are cut, by a server that asks for a retry at once, do so four times, then at most every 2.5 s", () => {
    const random = createRandom(3);
    for (let client = 0; client < 1_000; client++) {
      const attempts = simulateCuts({ firstMs: 60_000, lastsMs: 20, retryMs: 0 }, random);
      expect(attempts[3]).toBeLessThan(4 * 270);
      expect(Math.min(...gapsOf(attempts.slice(3)))).toBeGreaterThanOrEqual(2_500);
    }
  });

  test("retry for 15 minutes and no longer", () => {
    const random = createRandom(7);
    for (let client = 0; client < 1_000; client++) {
      const { attempts, gaveUpAt } = simulate({ outageMs: 1e9, error: refused, takesMs: 0 }, random);
      expect(gaveUpAt).toBeGreaterThan(900_000 - 5_000);
      expect(attempts.at(-1)).toBeLessThanOrEqual(900_000);
    }
  });

  test("follow the delay that the server requests", () => {
    const told = status(503, "", { "retry-after": "30" });
    for (let seed = 0; seed < 1_000; seed++) {
      const { attempts } = simulate({ outageMs: 60_000, error: told, takesMs: 0 }, createRandom(seed));
      const gaps = gapsOf(attempts);
      expect(gaps.every((gap) => gap >= 30_000 && gap < 33_500)).toBe(true);
    }
  });
});

const anyFailure = fc.record({
  error: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...passing.map(([, error]) => error)) },
    { weight: 1, arbitrary: fc.constantFrom(...passingOfGet.map(([, error]) => error)) },
    { weight: 1, arbitrary: fc.constantFrom(...lasting.map(([, error]) => error)) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(draining(), draining("4"), draining("120"), draining("999"), status(405)),
    },
  ),
  lastEventId: fc.constantFrom("", "7", "run.0", "run.12"),
  retryMs: fc.option(fc.oneof(fc.nat(10_000), fc.nat(200_000)), { nil: undefined }),
  newChunks: fc.nat(1),
  silentMs: fc.nat(20_000),
  sinceRequestMs: fc.nat(8_000),
  isOffline: fc.boolean(),
});

test("for all failures and random numbers, the delay is within its bounds, attempts are counted, and nothing unsafe is repeated", () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.nat(300_000),
      fc.array(fc.tuple(anyFailure, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), {
        maxLength: 40,
      }),
      (runs, canRefreshHeaders, giveUpAfterMs, failures) => {
        let random = 0;
        const policy = policyOf({ runs, canRefreshHeaders, giveUpAfterMs, random: () => random });
        let attempts = 0;
        let refreshes = 0;
        let hasChunks = false;
        let known = "";
        let serverErrors = 0;
        let unanswered: number | undefined = 0;
        let early = 0;
        let isRepeated = false;
        for (const [failure, value] of failures) {
          const { error, lastEventId, retryMs, newChunks, silentMs, sinceRequestMs, isOffline } = failure;
          random = value;
          if (newChunks > 0 || lastEventId !== known) {
            attempts = 0;
            refreshes = 0;
          }
          known = lastEventId;
          hasChunks ||= newChunks > 0;
          if (error !== refused) unanswered = undefined;
          else if (unanswered !== undefined && !isOffline) unanswered++;
          const http = error instanceof StreamHttpError ? error : undefined;
          if (http?.status === 500) serverErrors++;
          const step = policy.next(failure);
          if (sinceRequestMs >= 3_500) early = 0;
          if ("failedWith" in step) {
            if (http?.status !== 405) expect(step.failedWith).toBe(error);
            continue;
          }
          const wasRepeated = isRepeated;
          isRepeated = true;
          const hasId = lastEventId.startsWith("run.");
          expect(step.isResume).toBe(hasId);
          if (step.attempt === 0) {
            expect(error).toMatchObject({ status: expect.toBeOneOf([401, 403]) });
            expect([canRefreshHeaders, ++refreshes]).toEqual([true, 1]);
            expect(step).toMatchObject({ minMs: 0, delayMs: 0 });
            expect(hasId || !hasChunks).toBe(true);
            continue;
          }
          const mayPass = [...passing, ...(hasId ? passingOfGet : [])];
          expect(mayPass.some(([, one]) => one === error) || http?.status === 503).toBe(true);
          expect(unanswered ?? 0).toBeLessThan(2);
          expect(step.attempt).toBe(++attempts);
          const toldMs = http?.retryAfterMs ?? retryMs;
          expect(step.minMs).toBeGreaterThanOrEqual(toldMs ?? 0);
          const isPaced = toldMs !== undefined && early++ < 4;
          if (wasRepeated && !isPaced) {
            expect(step.minMs + sinceRequestMs).toBeGreaterThanOrEqual(3_500);
          }
          expect(step.delayMs).toBeGreaterThanOrEqual(step.minMs);
          expect(step.delayMs - step.minMs).toBeLessThanOrEqual(3_500);
          expect(silentMs + step.delayMs).toBeLessThanOrEqual(giveUpAfterMs);
          if (step.isResume) continue;
          const isDraining = http?.message.endsWith("Restarting.") ?? false;
          expect({ hasChunks, mayRepeat: runs || isDraining }).toEqual({
            hasChunks: false,
            mayRepeat: true,
          });
          if (http?.status === 500) expect(serverErrors).toBe(1);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a route without GET fails with the error of the outage, whatever the later attempts met", () => {
  const policy = policyOf();
  const outage = new StreamTruncatedError();
  policy.next(failureOf(outage, { ...resumable, newChunks: 1 }));
  policy.next(failureOf(refused, resumable));
  expect(policy.next(failureOf(status(405), resumable))).toEqual({ failedWith: outage });
});
