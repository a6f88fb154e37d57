/** What the adapter of AG-UI accepts: the events of an SDK's own types, and what it needs to know of the request. */

import type { AGUIObservable } from "./ag-ui-source.ts";
import { isRecord } from "./loose-values.ts";
import type { AdapterOptions } from "./model-stream.ts";

/** An event, as AG-UI's SDKs type it. */
export interface AGUISourceEvent {
  /** `"TEXT_MESSAGE_CONTENT"`, for example: the other fields depend on it. */
  type: string;
  [field: string]: unknown;
}

/** A run: the response of an agent, its events, a promise of either, or what `agent.run(input)` of an SDK returns. */
export type AGUISource =
  | Response
  | AsyncIterable<AGUISourceEvent>
  | PromiseLike<Response | AsyncIterable<AGUISourceEvent>>
  | AGUIObservable<AGUISourceEvent>;

/** Options of {@link fromAGUI}. */
export interface AGUIOptions extends AdapterOptions {
  /**
   * The input of the run, from {@link toRunAgentInput}. Its state is what the agent's first changes apply to, calls of its
   * tools are the client's, and its messages name the calls of earlier runs.
   */
  input?:
    | {
        /** The state of the client. */
        state?: unknown;
        /** The tools that the client runs. */
        tools?: unknown;
        /** The conversation so far. */
        messages?: unknown;
      }
    | undefined;
}

export const recordsOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];

export const stringOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;
