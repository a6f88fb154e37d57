/** The events of one run of AG-UI, as chunks. Knows neither where they come from nor how a run ends. */
import type { ModelUsage, ProviderMetadata, StreamChunk } from "@kortyx/protocol";
import { SharedDocument } from "./ag-ui-document.ts";
import { type AGUIOptions, recordsOf, stringOf } from "./ag-ui-events.ts";
import { pick, toSubagent } from "./ag-ui-subagent.ts";
import { isRecord } from "./loose-values.ts";
import { invalidToolInput, type ModelToolCall, parseToolInput } from "./model-stream.ts";

type Fields = Record<string, unknown>;

interface ReadCall {
  tool: string;
  args: string;
  metadata: Fields | undefined;
  input: unknown;
  state: "open" | "ready" | "failed" | "answered";
}

/** Reads the events of one run, except its end. */
export class AGUIReader {
  /** The calls of this run, by id. */
  readonly #calls = new Map<string, ReadCall>();
  /** The names of the tools of earlier calls, by the call's id. */
  readonly #earlier: Map<unknown, string>;
  readonly #clientTools: ReadonlySet<unknown>;
  /** The calls that have the results, by the id of the result's message. */
  readonly #results = new Map<string, string>();
  readonly #steps = new Map<string, string[]>();
  #stepCount = 0;
  readonly #activities = new Map<string, { activityType: string; document: SharedDocument }>();
  #state: SharedDocument;
  /** What `…_CHUNK` events continue. */
  #chunk: { type: "TEXT" | "REASONING" | "CALL"; id: string } | undefined;

  constructor({ input }: AGUIOptions) {
    this.#earlier = callsOf(input?.messages);
    this.#clientTools = new Set(recordsOf(input?.tools).map(({ name }) => name));
    this.#state = toState(input?.state);
  }

  /** @returns undefined for an event of an unknown type. */
  read(event: Fields): StreamChunk[] | undefined {
    const { type, messageId, toolCallId } = event;
    if (!known.has(type)) return undefined;
    switch (type) {
      case "TEXT_MESSAGE_CHUNK":
        return this.#readPiece("TEXT", messageId, event);
      case "REASONING_MESSAGE_CHUNK":
        return this.#readPiece("REASONING", messageId, event);
      case "TOOL_CALL_CHUNK":
        return this.#readPiece("CALL", toolCallId, event);
      default:
        return [...this.endChunk(), ...this.#readWhole(event)];
    }
  }

  /** Ends what a `…_CHUNK` event has begun. */
  endChunk(): StreamChunk[] {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    if (chunk === undefined) return [];
    if (chunk.type === "CALL") return this.#endCall({ toolCallId: chunk.id });
    return [{ type: chunk.type === "TEXT" ? "text-end" : "reasoning-end", segmentId: chunk.id }];
  }

  /** The calls without a result, and which of them the agent has not named. */
  pendingCalls(named: unknown): ModelToolCall[] {
    const ids = Array.isArray(named) && named.length > 0 ? new Set(named) : undefined;
    return [...this.#calls]
      .filter(([id, { state }]) => state === "ready" && (ids?.has(id) ?? true))
      .map(([toolCallId, { tool, input }]) => ({ toolCallId, tool, input }));
  }

  #readPiece(type: "TEXT" | "REASONING" | "CALL", given: unknown, event: Fields): StreamChunk[] {
    const open = this.#chunk?.type === type ? this.#chunk.id : undefined;
    const id = stringOf(given) ?? open;
    if (id === undefined) return this.endChunk();
    const begun = id === open ? [] : [...this.endChunk(), ...this.#beginPiece(type, id, event)];
    this.#chunk = { type, id };
    const delta = stringOf(event.delta) ?? "";
    if (type === "CALL") return [...begun, ...this.#append({ ...event, toolCallId: id, delta })];
    return [
      ...begun,
      ...toDelta(type === "TEXT" ? "text-delta" : "reasoning-delta", { ...event, messageId: id, delta }),
    ];
  }

  #beginPiece(type: "TEXT" | "REASONING" | "CALL", id: string, event: Fields): StreamChunk[] {
    // The metadata is on the delta.
    const { metadata, ...fields } = event;
    if (type === "CALL") return this.#beginCall({ ...event, toolCallId: id });
    return [toStart(type === "TEXT" ? "text-start" : "reasoning-start", { ...fields, messageId: id })];
  }

  #readWhole(event: Fields): StreamChunk[] {
    switch (event.type) {
      case "TEXT_MESSAGE_START":
        return [toStart("text-start", event)];
      case "TEXT_MESSAGE_CONTENT":
        return toDelta("text-delta", event);
      case "TEXT_MESSAGE_END":
        return [{ type: "text-end", ...segmentOf(event), ...metadataOf(event) }];
      case "REASONING_MESSAGE_START":
        return [toStart("reasoning-start", event)];
      case "REASONING_MESSAGE_CONTENT":
        return toDelta("reasoning-delta", event);
      case "REASONING_MESSAGE_END":
        return [{ type: "reasoning-end", ...segmentOf(event), ...metadataOf(event) }];
      case "REASONING_ENCRYPTED_VALUE":
        return [this.#toEncrypted(event)];
      case "TOOL_CALL_START":
        return this.#beginCall(event);
      case "TOOL_CALL_ARGS":
        return this.#append(event);
      case "TOOL_CALL_END":
        return this.#endCall(event);
      case "TOOL_CALL_RESULT":
        return this.#readResult(event);
      default:
        return this.#readOther(event);
    }
  }

  #readOther(event: Fields): StreamChunk[] {
    const { type, threadId, input, name, value } = event;
    switch (type) {
      case "RUN_STARTED":
        if (isRecord(input) && input.state !== undefined) this.#state = toState(input.state);
        return [
          ...(typeof threadId === "string" ? [{ type: "session", sessionId: threadId } as const] : []),
          { type: "metadata", metadata: { agui: pick(event, ["threadId", "runId", "parentRunId"]) } },
        ];
      case "STEP_STARTED":
      case "STEP_FINISHED":
        return this.#readStep(event);
      case "STATE_SNAPSHOT":
        return this.#state.replace(event.snapshot);
      case "STATE_DELTA":
        return this.#state.patch(event.delta);
      case "ACTIVITY_SNAPSHOT":
      case "ACTIVITY_DELTA":
        return this.#readActivity(event);
      case "SUBAGENT_STARTED":
      case "SUBAGENT_FINISHED":
      case "SUBAGENT_ERROR":
        return [toSubagent(event)];
      case "CUSTOM":
        return [
          {
            type: "data",
            name: String(name),
            data: value ?? null,
            transient: true,
            ...metadataOf(event),
            ...nodeOf(event),
          },
        ];
      default:
        return [];
    }
  }

  #beginCall(event: Fields): StreamChunk[] {
    const toolCallId = String(event.toolCallId);
    const tool = stringOf(event.toolCallName) ?? "";
    this.#calls.set(toolCallId, { tool, args: "", metadata: undefined, input: undefined, state: "open" });
    return [
      {
        type: "tool-call-start",
        tool,
        toolCallId,
        // Without a parent, a client of AG-UI gives the call a message of its own.
        parentSegmentId: stringOf(event.parentMessageId) ?? toolCallId,
        ...this.#executorOf(tool),
        ...metadataOf(event),
        ...nodeOf(event),
      },
    ];
  }

  #executorOf(tool: string): { executor?: "client" } {
    return this.#clientTools.has(tool) ? { executor: "client" } : {};
  }

  #append(event: Fields): StreamChunk[] {
    const toolCallId = String(event.toolCallId);
    const call = this.#calls.get(toolCallId);
    const delta = stringOf(event.delta) ?? "";
    if (call) {
      call.args += delta;
      if (isRecord(event.metadata)) call.metadata = { ...call.metadata, ...event.metadata };
    }
    return delta === "" ? [] : [{ type: "tool-call-delta", toolCallId, delta, ...nodeOf(event) }];
  }

  #endCall(event: Fields): StreamChunk[] {
    const toolCallId = String(event.toolCallId);
    const call = this.#calls.get(toolCallId);
    if (call?.state !== "open") return [];
    const parsed = parseToolInput(call.args);
    if (parsed === undefined) {
      call.state = "failed";
      return [invalidToolInput(call.tool, toolCallId, call.args)];
    }
    Object.assign(call, { state: "ready", input: parsed.input });
    const given = isRecord(event.metadata) ? event.metadata : undefined;
    const metadata = call.metadata || given ? { ...call.metadata, ...given } : undefined;
    const { tool } = call;
    return [
      {
        type: "tool-call-ready",
        tool,
        toolCallId,
        input: parsed.input,
        ...this.#executorOf(tool),
        ...metadataOf({ metadata }),
        ...nodeOf(event),
      },
    ];
  }

  #readResult(event: Fields): StreamChunk[] {
    const toolCallId = String(event.toolCallId);
    const ended = this.#endCall({ toolCallId });
    const call = this.#calls.get(toolCallId);
    if (call) call.state = "answered";
    const messageId = stringOf(event.messageId);
    if (messageId !== undefined) this.#results.set(messageId, toolCallId);
    const { kortyx } = isRecord(event.metadata) ? event.metadata : {};
    return [
      ...ended,
      {
        type: "tool-call-result",
        tool: call?.tool ?? this.#earlier.get(toolCallId) ?? "",
        toolCallId,
        content: event.content ?? "",
        ...(isRecord(kortyx) && kortyx.isError === true && { isError: true }),
        ...metadataOf(event, { messageId }),
        ...nodeOf(event),
      },
    ];
  }

  #toEncrypted({ subtype, entityId, encryptedValue }: Fields): StreamChunk {
    const id = String(entityId);
    const providerMetadata = { "agui-encrypted": { value: encryptedValue } };
    const toolCallId = this.#results.get(id);
    if (subtype === "tool-call") return { type: "part-metadata", toolCallId: id, providerMetadata };
    if (toolCallId !== undefined)
      return { type: "part-metadata", toolCallId, isResult: true, providerMetadata };
    return { type: "part-metadata", segmentId: id, providerMetadata };
  }

  #readStep(event: Fields): StreamChunk[] {
    const name = String(event.stepName);
    const { node } = nodeOf(event);
    const key = JSON.stringify([name, node]);
    if (event.type === "STEP_FINISHED") {
      const stepId = this.#steps.get(key)?.pop();
      return stepId === undefined ? [] : [{ type: "step-end", stepId, ...nodeOf(event) }];
    }
    const stepId = `${name}:${this.#stepCount++}`;
    this.#steps.set(key, [...(this.#steps.get(key) ?? []), stepId]);
    return [{ type: "step-start", stepId, name, ...nodeOf(event) }];
  }

  #readActivity(event: Fields): StreamChunk[] {
    const streamId = String(event.messageId);
    const activityType = String(event.activityType);
    let activity = this.#activities.get(streamId);
    if (event.type === "ACTIVITY_SNAPSHOT" && activity && event.replace === false) return [];
    if (activity?.activityType !== activityType) {
      const fields = { streamId, dataType: activityType, ...nodeOf(event) };
      activity = { activityType, document: new SharedDocument(fields, {}) };
      this.#activities.set(streamId, activity);
    }
    if (event.type === "ACTIVITY_SNAPSHOT") return activity.document.replace(event.content);
    return activity.document.patch(event.patch);
  }
}

const known: ReadonlySet<unknown> = new Set([
  "RUN_STARTED",
  "STEP_STARTED",
  "STEP_FINISHED",
  "TEXT_MESSAGE_START",
  "TEXT_MESSAGE_CONTENT",
  "TEXT_MESSAGE_END",
  "TEXT_MESSAGE_CHUNK",
  "REASONING_START",
  "REASONING_MESSAGE_START",
  "REASONING_MESSAGE_CONTENT",
  "REASONING_MESSAGE_END",
  "REASONING_MESSAGE_CHUNK",
  "REASONING_END",
  "REASONING_ENCRYPTED_VALUE",
  "TOOL_CALL_START",
  "TOOL_CALL_ARGS",
  "TOOL_CALL_END",
  "TOOL_CALL_CHUNK",
  "TOOL_CALL_RESULT",
  "STATE_SNAPSHOT",
  "STATE_DELTA",
  "MESSAGES_SNAPSHOT",
  "ACTIVITY_SNAPSHOT",
  "ACTIVITY_DELTA",
  "SUBAGENT_STARTED",
  "SUBAGENT_FINISHED",
  "SUBAGENT_ERROR",
  "CUSTOM",
  "RAW",
]);

const toState = (document: unknown) =>
  new SharedDocument({ streamId: "state", dataType: "state" }, document ?? {});

const segmentOf = ({ messageId }: Fields) => ({ segmentId: String(messageId) });

export const nodeOf = ({ subagentRunId }: Fields): { node?: string } =>
  typeof subagentRunId === "string" ? { node: subagentRunId } : {};

/** @param message - Fields that events have for their message. */
function metadataOf({ metadata }: Fields, message: Fields = {}): { providerMetadata?: ProviderMetadata } {
  const present = Object.entries(message).filter(([, value]) => value !== undefined);
  const providerMetadata = {
    ...(isRecord(metadata) && { agui: metadata }),
    ...(present.length > 0 && { "agui-message": Object.fromEntries(present) }),
  };
  return Object.keys(providerMetadata).length === 0 ? {} : { providerMetadata };
}

function toStart(type: "text-start" | "reasoning-start", event: Fields): StreamChunk {
  const { role, name } = event;
  const speaker = type === "text-start" ? { role: role === "assistant" ? undefined : role, name } : {};
  return { type, ...segmentOf(event), ...metadataOf(event, speaker), ...nodeOf(event) };
}

function toDelta(type: "text-delta" | "reasoning-delta", event: Fields): StreamChunk[] {
  const delta = stringOf(event.delta) ?? "";
  const metadata = metadataOf(event);
  if (delta === "" && metadata.providerMetadata === undefined) return [];
  return [{ type, delta, ...segmentOf(event), ...metadata, ...nodeOf(event) }];
}

function callsOf(messages: unknown): Map<unknown, string> {
  const calls = recordsOf(messages).flatMap(({ toolCalls }) => recordsOf(toolCalls));
  return new Map(
    calls.map(({ id, function: called }) => [
      id,
      (isRecord(called) ? stringOf(called.name) : undefined) ?? "",
    ]),
  );
}

/** The tokens of each model. */
export function toUsage(usage: unknown): ModelUsage[] {
  return recordsOf(usage)
    .map((one) => pick(one, usageNames) as ModelUsage)
    .filter((one) => Object.values(one).some((value) => typeof value === "number"));
}

const usageNames = [
  "provider",
  "model",
  "inputTokens",
  "outputTokens",
  "totalTokens",
  "reasoningTokens",
  "cachedInputTokens",
  "cacheWriteInputTokens",
];
