/**
 * Follows one run through connections that fail according to a plan, and records everything that a case may need. Holds
 * no cases.
 */
import type { ConnectionState, RouteStreamOptions, StreamChunk } from "@kortyx/client";
import { type Answer, answerUrl, type SeenRequest } from "./answer.ts";
import { done, doneMarker, frame } from "./frames.ts";
import { printRun, type RunAnswer, runLog, runUrl } from "./run-log.ts";
import { assert, assertEqual, newId, queryServer, type SuiteContext } from "./suite-case.ts";

/** The responses to the requests, in order; the last one repeats. */
export type Plan = (RunAnswer | Answer)[];

export interface Followed {
  runId: string;
  chunks: StreamChunk[];
  error?: unknown;
  /** The calls of `onConnectionChange` and their times. */
  changes: (ConnectionState & { at: number })[];
  /** The time of each request, just before it is made. */
  requestTimes: number[];
  /** The requests as the server saw them. */
  requests: SeenRequest[];
}

export const messages = [{ role: "user" as const, content: "Hello" }];

/** The URL at which the suite server responds with `step`. */
const stepUrl = (baseUrl: string, runId: string, step: RunAnswer | Answer): string =>
  "size" in step ? runUrl(baseUrl, runId, step) : answerUrl(baseUrl, runId, step);

/** Requests a run and reads it to its end. */
export async function follow(
  context: SuiteContext,
  plan: Plan,
  options: Omit<RouteStreamOptions, "endpoint"> = {},
  runId: string = newId(),
): Promise<Followed> {
  const followed: Followed = { runId, chunks: [], changes: [], requestTimes: [], requests: [] };
  const { chunks, changes, requestTimes } = followed;
  const stream = context.client.streamChatFromRoute({
    endpoint() {
      const step = plan[Math.min(requestTimes.length, plan.length - 1)]!;
      requestTimes.push(performance.now());
      return stepUrl(context.baseUrl, runId, step);
    },
    messages,
    ...options,
    onConnectionChange: (change) => {
      changes.push({ ...change, at: performance.now() });
      options.onConnectionChange?.(change);
    },
  });
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (error) {
    followed.error = error;
  }
  return followed;
}

/** As {@link follow}, with the requests that the server saw. */
export async function followAndInspect(
  context: SuiteContext,
  ...rest: [Plan, Omit<RouteStreamOptions, "endpoint">?]
) {
  const followed = await follow(context, ...rest);
  followed.requests = await queryServer<SeenRequest[]>(context, "/requests", followed.runId);
  return followed;
}

export const assertWhole = ({ runId, chunks, error }: Followed, size: number, what: string): void =>
  assertEqual({ error: error && String(error), chunks }, { chunks: runLog(runId, size) }, what);

export const failureOf = ({ error }: Followed): unknown => {
  const { name, code, status } = error as Error & { code?: string; status?: number };
  return { name, code, status };
};

/** The attempts that were announced. */
export const attemptsOf = ({ changes }: Followed) =>
  changes.flatMap((change) =>
    change.state === "reconnecting"
      ? [[change.attempt, change.delayMs, (change.error as { code: string }).code]]
      : [],
  );

/** As {@link attemptsOf}, for delays that depend on the duration of a request. */
export const causesOf = (followed: Followed) =>
  attemptsOf(followed).map(([attempt, , code]) => [attempt, code]);

/** On a busy machine, the time of a request may be noted later than the client has noted it. */
const lateMs = 100;

/** Asserts that requests were 3.5 s apart, except for the first two. */
export function assertSpaced({ requestTimes }: Followed): void {
  for (const [index, at] of requestTimes.entries()) {
    if (index < 2) continue;
    const gapMs = at - requestTimes[index - 1]!;
    assert(gapMs > 3_500 - lateMs, `request ${index + 1} was made ${gapMs} ms after the previous one`);
  }
}

export const bytesIn = (text: string): number => new TextEncoder().encode(text).length;

/** The number of bytes that ends inside the third entry of a run. */
export const twoEntriesOf = (answer: RunAnswer): number =>
  bytesIn(printRun(newId(), -1, { ...answer, size: 1 })) - bytesIn(frame(done) + doneMarker);

/** Asserts that at least this many milliseconds passed between each loss of a connection and the next request. */
export function assertWaited({ changes, requestTimes }: Followed, ...floors: number[]): void {
  const lost = changes.filter(({ state }) => state === "reconnecting");
  for (const [index, floorMs] of floors.entries()) {
    const waitedMs = requestTimes[index + 1]! - lost[index]!.at;
    // Timers count whole milliseconds.
    assert(waitedMs > floorMs - 2, `attempt ${index + 1}: waited ${waitedMs} ms of ${floorMs}`);
  }
}

/** The entries of a run that most cases follow. */
export const size = 4;
/** A run whose connection is cut after two entries. */
export const cutRun = (answer: Partial<RunAnswer> = {}): RunAnswer => ({
  size,
  bytes: twoEntriesOf({ size, ...answer }),
  ...answer,
});
export const unanswered: Answer = { hasNoHeaders: true, ending: "reset" };
export const status = (code: number, headers: Record<string, string> = {}): Answer => ({
  status: code,
  headers,
});
