/**
 * The chunks of questions to the user. Types only.
 */
import type { ChunkOrigin } from "./chunk-origin.ts";

interface InterruptInputBase {
  /** A name that the agent gives the question. */
  id?: string | undefined;
  /** The schema that the answer must follow. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** Anything else that a user interface needs to show the question. */
  meta?: Record<string, unknown> | undefined;
}

/** A question that is answered in the user's own words. */
export interface InterruptTextInput extends InterruptInputBase {
  kind: "text";
  /** Whether the user may give several answers. */
  multiple: boolean;
  /** The question, in words for the user. */
  question?: string | undefined;
}

/** One of the answers that an interrupt offers. */
export interface InterruptOption {
  /** Sent back as the answer when the user chooses this option. */
  id: string;
  /** A short text for the user. */
  label: string;
  /** A longer text for the user. */
  description?: string | undefined;
}

/** A question with given answers. */
export interface InterruptChoiceInput extends InterruptInputBase {
  /** `"multi-choice"` allows several options. */
  kind: "choice" | "multi-choice";
  /** Whether the user may choose several options. */
  multiple: boolean;
  /** The question, in words for the user. */
  question: string;
  /** The answers to choose from. */
  options: InterruptOption[];
}

/** A question that is answered with JSON, as for a form. */
export interface InterruptJSONInput extends InterruptInputBase {
  kind: "json";
  /** Whether the answer is an array of values that follow the schema. @defaultValue false */
  multiple?: boolean | undefined;
  /** The question, in words for the user. */
  question?: string | undefined;
  /** JSON Schema of the answer. */
  schema?: Record<string, unknown> | undefined;
}

/**
 * A question to the user. Several may be open at the end of a stream, which then ends with `done` and `finishReason:
 * "interrupt"`.
 */
export interface InterruptChunk extends ChunkOrigin {
  type: "interrupt";
  /** Names the question. The answer repeats it. */
  requestId: string;
  /** Opaque to the client, which sends it back with the answer. */
  resumeToken: string;
  /** A question of an unknown `kind` is passed on unchanged: a user interface needs a default. */
  input: InterruptTextInput | InterruptChoiceInput | InterruptJSONInput;
  /**
   * The tool call that waits for the answer, whose `tool-call-ready` has been sent. The question is usually a `choice` of
   * which `approve` and `deny` are options, and `edit` where the user may change the call's input.
   */
  toolCallId?: string | undefined;
  /** For programs: `"tool-approval"`, `"input-required"`, or a reason of the application's own. */
  reason?: string | undefined;
  /** No answer is accepted later. In milliseconds since 1970-01-01 UTC. */
  expiresAt?: number | undefined;
  /** A policy decides, and `interrupt-resolved` follows: there is nothing to ask. */
  isAutomatic?: boolean | undefined;
  /** The workflow that asks. */
  workflow?: string | undefined;
  /** The schema that the answer must follow. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** Anything else that a user interface needs to show the question. */
  meta?: Record<string, unknown> | undefined;
}

/** A question is open no more: it was answered here or in another tab, by a policy, or it has expired. */
export interface InterruptResolvedChunk {
  type: "interrupt-resolved";
  /** The `requestId` of the `interrupt`. */
  requestId: string;
  /** What became of the question. */
  outcome: "answered" | "cancelled" | "expired" | (string & {});
  /**
   * Any JSON value: a text, the ids of options, or what a JSON question asked for. For a tool call, `"deny"` refuses it, and
   * any other answer lets it run.
   */
  answer?: unknown;
  /** A policy decided, not a person. */
  isAutomatic?: boolean | undefined;
  /** Why, in words for the user. */
  reason?: string | undefined;
}
