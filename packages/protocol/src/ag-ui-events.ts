/**
 * The events of AG-UI 1.0, as plain interfaces made to be read on hover. Types only: `ag-ui-translator.ts` writes them.
 */
import type { AGUIRunOutcome, AGUISubagentOutcome, AGUITokenUsage } from "./ag-ui-outcome.ts";

/** What every event may have. */
export interface AGUIEventFields {
  /** Milliseconds since 1970-01-01 UTC. */
  timestamp?: number | undefined;
  /** Anything else. Clients merge it, key by key, into the message or the tool call that the event belongs to. */
  metadata?: Record<string, unknown> | undefined;
  /** The invocation of a subagent that the event belongs to. */
  subagentRunId?: string | undefined;
}

interface OfMessage extends AGUIEventFields {
  /** The message that the event belongs to, unique in its thread. */
  messageId: string;
}

interface OfCall extends AGUIEventFields {
  /** The call that the event belongs to, unique in its thread. */
  toolCallId: string;
}

/** The first event of a run. */
export interface AGUIRunStartedEvent extends AGUIEventFields {
  type: "RUN_STARTED";
  /** The conversation, as in the request. */
  threadId: string;
  /** The run, as in the request. */
  runId: string;
  /** The run that this one continues. */
  parentRunId?: string | undefined;
  /** The request that the agent answers. */
  input?: unknown;
}

/** The last event of a run that has not failed. */
export interface AGUIRunFinishedEvent extends AGUIEventFields {
  type: "RUN_FINISHED";
  /** The conversation, as in the request. */
  threadId: string;
  /** The run, as in the request. */
  runId: string;
  /** Any JSON value. */
  result?: unknown;
  /** How the run ended. Success if absent. */
  outcome?: AGUIRunOutcome | undefined;
  /** The tokens that the run cost, by model. */
  usage?: AGUITokenUsage[] | undefined;
}

/** The last event of a run that has failed. */
export interface AGUIRunErrorEvent extends AGUIEventFields {
  type: "RUN_ERROR";
  /** What went wrong, in words for the user. */
  message: string;
  /** For programs. */
  code?: string | undefined;
}

/** A step begins. */
export interface AGUIStepStartedEvent extends AGUIEventFields {
  type: "STEP_STARTED";
  /** Unique among the steps that are open. */
  stepName: string;
}

/** A step has ended. */
export interface AGUIStepFinishedEvent extends AGUIEventFields {
  type: "STEP_FINISHED";
  /** The step that has ended. */
  stepName: string;
}

/** Opens a text. */
export interface AGUITextMessageStartEvent extends OfMessage {
  type: "TEXT_MESSAGE_START";
  /** Who speaks. */
  role?: "assistant" | "user" | "system" | "developer" | undefined;
  /** The name of who speaks. */
  name?: string | undefined;
}

/** The next piece of a text. */
export interface AGUITextMessageContentEvent extends OfMessage {
  type: "TEXT_MESSAGE_CONTENT";
  /** Text to append. */
  delta: string;
}

/** Closes a text. */
export interface AGUITextMessageEndEvent extends OfMessage {
  type: "TEXT_MESSAGE_END";
}

/** A piece of a text that needs no start and no end. */
export interface AGUITextMessageChunkEvent extends AGUIEventFields {
  type: "TEXT_MESSAGE_CHUNK";
  /** That of the piece before, if absent. */
  messageId?: string | undefined;
  /** Who speaks. */
  role?: "assistant" | "user" | "system" | "developer" | undefined;
  /** The name of who speaks. */
  name?: string | undefined;
  /** Text to append. */
  delta?: string | undefined;
}

/** The model begins to reason. */
export interface AGUIReasoningStartEvent extends OfMessage {
  type: "REASONING_START";
}

/** Opens a piece of reasoning. */
export interface AGUIReasoningMessageStartEvent extends OfMessage {
  type: "REASONING_MESSAGE_START";
  /** Always the same. */
  role: "reasoning";
}

/** The next piece of reasoning. */
export interface AGUIReasoningMessageContentEvent extends OfMessage {
  type: "REASONING_MESSAGE_CONTENT";
  /** Text to append. */
  delta: string;
}

/** Closes a piece of reasoning. */
export interface AGUIReasoningMessageEndEvent extends OfMessage {
  type: "REASONING_MESSAGE_END";
}

/** A piece of reasoning that needs no start and no end. */
export interface AGUIReasoningMessageChunkEvent extends AGUIEventFields {
  type: "REASONING_MESSAGE_CHUNK";
  /** That of the piece before, if absent. */
  messageId?: string | undefined;
  /** Text to append. */
  delta?: string | undefined;
}

/** The model has stopped reasoning. */
export interface AGUIReasoningEndEvent extends OfMessage {
  type: "REASONING_END";
}

/** What a provider wants back in the next request, as an opaque text. */
export interface AGUIReasoningEncryptedValueEvent extends AGUIEventFields {
  type: "REASONING_ENCRYPTED_VALUE";
  /** Whether it belongs to a message or to a tool call. */
  subtype: "message" | "tool-call";
  /** The id of the message, or of the call. */
  entityId: string;
  /** The text itself. A later one replaces it. */
  encryptedValue: string;
}

/** A tool call begins. */
export interface AGUIToolCallStartEvent extends OfCall {
  type: "TOOL_CALL_START";
  /** The name of the tool. */
  toolCallName: string;
  /** The assistant's message that makes the call; a client creates it if it does not exist. */
  parentMessageId?: string | undefined;
}

/** The next piece of the JSON text of a call's input. */
export interface AGUIToolCallArgsEvent extends OfCall {
  type: "TOOL_CALL_ARGS";
  /** Text to append. */
  delta: string;
}

/** The input of a call is whole. */
export interface AGUIToolCallEndEvent extends OfCall {
  type: "TOOL_CALL_END";
}

/** A piece of a call's input that needs no start and no end. */
export interface AGUIToolCallChunkEvent extends AGUIEventFields {
  type: "TOOL_CALL_CHUNK";
  /** That of the piece before, if absent. */
  toolCallId?: string | undefined;
  /** The name of the tool. */
  toolCallName?: string | undefined;
  /** The assistant's message that makes the call. */
  parentMessageId?: string | undefined;
  /** Text to append. */
  delta?: string | undefined;
}

/** What a tool call returned. */
export interface AGUIToolCallResultEvent extends OfCall {
  type: "TOOL_CALL_RESULT";
  /** The message that holds the result. */
  messageId: string;
  /** A text, or parts of content: texts and files. */
  content: string | Record<string, unknown>[];
  /** Always the same. */
  role?: "tool" | undefined;
}

/** The whole state that agent and client share. */
export interface AGUIStateSnapshotEvent extends AGUIEventFields {
  type: "STATE_SNAPSHOT";
  /** Any JSON value. */
  snapshot: unknown;
}

/** One operation of a JSON Patch (RFC 6902). */
export interface AGUIPatchOperation {
  /** What to do. */
  op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  /** Where, as a JSON Pointer (RFC 6901). */
  path: string;
  /** Where the value is taken from, to `move` or `copy` it. */
  from?: string | undefined;
  /** The value to `add`, to `replace` another by, or to `test` for. */
  value?: unknown;
}

/** Changes the state that agent and client share. */
export interface AGUIStateDeltaEvent extends AGUIEventFields {
  type: "STATE_DELTA";
  /** Applied in order, all or nothing. */
  delta: AGUIPatchOperation[];
}

/** All messages of the thread. */
export interface AGUIMessagesSnapshotEvent extends AGUIEventFields {
  type: "MESSAGES_SNAPSHOT";
  /** In order. */
  messages: unknown[];
}

/** A whole object for the user interface, shown between the messages. */
export interface AGUIActivitySnapshotEvent extends OfMessage {
  type: "ACTIVITY_SNAPSHOT";
  /** What the object is, for the user interface that renders it. */
  activityType: string;
  /** The object. */
  content: Record<string, unknown>;
  /** `false` leaves an object that the client already has as it is. */
  replace?: boolean | undefined;
}

/** Changes such an object. */
export interface AGUIActivityDeltaEvent extends OfMessage {
  type: "ACTIVITY_DELTA";
  /** What the object is. */
  activityType: string;
  /** Applied in order, all or nothing. */
  patch: AGUIPatchOperation[];
}

/** A subagent begins. */
export interface AGUISubagentStartedEvent extends AGUIEventFields {
  type: "SUBAGENT_STARTED";
  /** Names this invocation of the subagent. */
  subagentRunId: string;
  /** The name of the subagent. */
  name: string;
  /** For the user. */
  description?: string | undefined;
  /** The subagent that began this one. */
  parentSubagentRunId?: string | undefined;
  /** The tool call that began it. */
  parentToolCallId?: string | undefined;
  /** The message that began it. */
  parentMessageId?: string | undefined;
}

/** A subagent has ended, or waits. */
export interface AGUISubagentFinishedEvent extends AGUIEventFields {
  type: "SUBAGENT_FINISHED";
  /** The invocation that has ended. */
  subagentRunId: string;
  /** Any JSON value. */
  result?: unknown;
  /** Whether the subagent is done, or waits for answers. */
  outcome?: AGUISubagentOutcome | undefined;
}

/** A subagent has failed. */
export interface AGUISubagentErrorEvent extends AGUIEventFields {
  type: "SUBAGENT_ERROR";
  /** The invocation that has failed. */
  subagentRunId: string;
  /** What went wrong, in words for the user. */
  message: string;
  /** For programs. */
  code?: string | undefined;
}

/** An event of the application's own. */
export interface AGUICustomEvent extends AGUIEventFields {
  type: "CUSTOM";
  /** What it is. */
  name: string;
  /** Any JSON value. */
  value: unknown;
}

/** An event of another system, unchanged. */
export interface AGUIRawEvent extends AGUIEventFields {
  type: "RAW";
  /** Any JSON value. */
  event: unknown;
  /** The system that it comes from. */
  source?: string | undefined;
}

/** One event of a run, told apart by `type`. */
export type AGUIEvent =
  | AGUIRunStartedEvent
  | AGUIRunFinishedEvent
  | AGUIRunErrorEvent
  | AGUIStepStartedEvent
  | AGUIStepFinishedEvent
  | AGUITextMessageStartEvent
  | AGUITextMessageContentEvent
  | AGUITextMessageEndEvent
  | AGUITextMessageChunkEvent
  | AGUIReasoningStartEvent
  | AGUIReasoningMessageStartEvent
  | AGUIReasoningMessageContentEvent
  | AGUIReasoningMessageEndEvent
  | AGUIReasoningMessageChunkEvent
  | AGUIReasoningEndEvent
  | AGUIReasoningEncryptedValueEvent
  | AGUIToolCallStartEvent
  | AGUIToolCallArgsEvent
  | AGUIToolCallEndEvent
  | AGUIToolCallChunkEvent
  | AGUIToolCallResultEvent
  | AGUIStateSnapshotEvent
  | AGUIStateDeltaEvent
  | AGUIMessagesSnapshotEvent
  | AGUIActivitySnapshotEvent
  | AGUIActivityDeltaEvent
  | AGUISubagentStartedEvent
  | AGUISubagentFinishedEvent
  | AGUISubagentErrorEvent
  | AGUICustomEvent
  | AGUIRawEvent;
