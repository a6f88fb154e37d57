/**
 * Follows one run through connections that fail as a plan says, and keeps all that a case may want to know. Holds no
 * cases.
 */
import type { ConnectionState, RouteStreamOptions, StreamChunk } from "@kortyx/client";
import { type Answer, answerUrl, type SeenRequest } from "./answer.ts";
import { done, doneMarker, frame } from "./frames.ts";
import { printRun, type RunAnswer, runLog, runUrl } from "./run-log.ts";
import { ask, assert, assertEqual, newId, type SuiteContext } from "./suite-case.ts";

/** What the requests are answered with, one after the other; the last one again from there on. */
export type Plan = (RunAnswer | Answer)[];

export interface Followed {
  runId: string;
  chunks: StreamChunk[];
  error?: unknown;
  /** What `onConnectionChange` was told, and when. */
  changes: (ConnectionState & { at: number })[];
  /** When each request was about to be made. */
  asked: number[];
  /** What the server has seen. */
  requests: SeenRequest[];
}

export const messages = [{ role: "user" as const, content: "Hello" }];

/** Where the suite server's routes answer as `step` says. */
const stepUrl = (baseUrl: string, runId: string, step: RunAnswer | Answer): string =>
  "size" in step ? runUrl(baseUrl, runId, step) : answerUrl(baseUrl, runId, step);

/** Asks for a run and reads what comes of it. */
export async function follow(
  context: SuiteContext,
  plan: Plan,
  options: Omit<RouteStreamOptions, "endpoint"> = {},
  runId: string = newId(),
): Promise<Followed> {
  const followed: Followed = { runId, chunks: [], changes: [], asked: [], requests: [] };
  const { chunks, changes, asked } = followed;
  const stream = context.client.streamChatFromRoute({
    endpoint() {
      const step = plan[Math.min(asked.length, plan.length - 1)]!;
      asked.push(performance.now());
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

/** As {@link follow}, with what the server has seen. */
export async function followAndAsk(
  context: SuiteContext,
  ...rest: [Plan, Omit<RouteStreamOptions, "endpoint">?]
) {
  const followed = await follow(context, ...rest);
  followed.requests = await ask<SeenRequest[]>(context, "/requests", followed.runId);
  return followed;
}

export const assertWhole = ({ runId, chunks, error }: Followed, size: number, what: string): void =>
  assertEqual({ error: error && String(error), chunks }, { chunks: runLog(runId, size) }, what);

export const failureOf = ({ error }: Followed): unknown => {
  const { name, code, status } = error as Error & { code?: string; status?: number };
  return { name, code, status };
};

/** What was announced of each attempt. */
export const attemptsOf = ({ changes }: Followed) =>
  changes.flatMap((change) =>
    change.state === "reconnecting"
      ? [[change.attempt, change.delayMs, (change.error as { code: string }).code]]
      : [],
  );

/** As {@link attemptsOf}, for delays that depend on how long a request took. */
export const causesOf = (followed: Followed) =>
  attemptsOf(followed).map(([attempt, , code]) => [attempt, code]);

/** Between any two requests lay 3.5 s, except after the first one. */
export function assertSpaced({ asked }: Followed): void {
  for (const [index, at] of asked.entries()) {
    if (index < 2) continue;
    const gapMs = at - asked[index - 1]!;
    assert(gapMs > 3_500 - 2, `request ${index + 1} came ${gapMs} ms after the one before`);
  }
}

export const bytesIn = (text: string): number => new TextEncoder().encode(text).length;

/** Bytes up to somewhere in the third entry of a run. */
export const twoEntriesOf = (answer: RunAnswer): number =>
  bytesIn(printRun(newId(), -1, { ...answer, size: 1 })) - bytesIn(frame(done) + doneMarker);

/** Between the loss of a connection and the next request lay at least so many milliseconds. */
export function assertWaited({ changes, asked }: Followed, ...floors: number[]): void {
  const lost = changes.filter(({ state }) => state === "reconnecting");
  for (const [index, floorMs] of floors.entries()) {
    const waitedMs = asked[index + 1]! - lost[index]!.at;
    // Timers have whole milliseconds.
    assert(waitedMs > floorMs - 2, `attempt ${index + 1}: waited ${waitedMs} ms of ${floorMs}`);
  }
}
