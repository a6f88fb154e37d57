/**
 * The requests by which a route is examined, in their order: twice one that starts no answer, an answer as a browser
 * requests it, the same without compression if it was compressed, and the rest of a run by the id of one of its events.
 * Judges nothing.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseEventId } from "@kortyx/protocol";
import { askRoute, browserEncodings, type RouteRequest } from "./ask-route.ts";
import type { Recording } from "./recording.ts";

export interface ExaminationOptions {
  url: URL;
  /** Headers of every request, such as a cookie. */
  headers: Record<string, string>;
  /** The body of the request for an answer, in JSON. */
  body: string;
  /** How long to read one answer, in milliseconds. */
  timeoutMs: number;
}

export interface Examination {
  url: URL;
  /**
   * How long the route takes to respond to a request that starts no answer, in milliseconds; `undefined` if it answers
   * such a request too.
   */
  controlMs: number | undefined;
  /** The answer as a browser requests it. */
  answer: Recording;
  /** The same without compression; absent if the answer was not compressed. */
  plainAnswer?: Recording | undefined;
  /** The rest of the run, requested by an event id; absent if the answer is not a run. */
  resumed?: { afterId: string; recording: Recording } | undefined;
  /** How long this process was late, in milliseconds: the machine had other work to do. */
  graceMs: number;
}

/** @throws the error of a connection that gets no response. */
export async function examineRoute(options: ExaminationOptions): Promise<Examination> {
  const { url, body, timeoutMs } = options;
  const headers = { "user-agent": "kortyx-doctor", ...options.headers };
  const identity = { ...headers, "accept-encoding": "identity" };
  const ask = (over: Partial<RouteRequest> & { headers: Record<string, string> }) =>
    askRoute({
      ...{ url, method: "POST", timeoutMs, ...over },
      headers: { accept: "text/event-stream", "content-type": "application/json", ...over.headers },
    });
  const lateness = monitorEventLoopDelay({ resolution: 10 });
  lateness.enable();
  // A body without messages is refused before an agent is called. The second one finds a server that is warm.
  const refusals = [
    await ask({ headers: identity, body: "{}", isEnough: hasBegun }),
    await ask({ headers: identity, body: "{}", isEnough: hasBegun }),
  ];
  const answer = await ask({ headers: { ...headers, "accept-encoding": browserEncodings }, body });
  const plainAnswer =
    answer.headers["content-encoding"] === undefined ? undefined : await ask({ headers: identity, body });
  const afterId = middleEventId(answer);
  const resumed = afterId && {
    afterId,
    recording: await ask({
      method: "GET",
      headers: { ...identity, "last-event-id": afterId },
      isEnough: ({ blocks }) => blocks.some(({ id }) => id !== undefined),
    }),
  };
  lateness.disable();
  const isRefused = refusals.every(({ status }) => status >= 300);
  const controlMs = isRefused ? Math.min(...refusals.map(({ headersMs }) => headersMs)) : undefined;
  const graceMs = lateness.max / 1e6;
  return { url, controlMs, answer, plainAnswer, resumed: resumed || undefined, graceMs };
}

/** A route that answers a request without messages: its answer is not read. */
const hasBegun = ({ blocks }: Recording): boolean => blocks.length > 0;

/** The id of an event in the middle of a run: more of the run follows it. */
function middleEventId({ blocks }: Recording): string | undefined {
  const ids = blocks.flatMap(({ id }) => (id !== undefined && parseEventId(id) !== undefined ? [id] : []));
  return ids[Math.floor((ids.length - 1) / 2)];
}
