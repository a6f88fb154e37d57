/**
 * What the parts of the translator to AG-UI share: the events so far, ids that are unique in the thread, and what each id
 * stands for. Knows no chunks.
 */
import type { AGUIEvent } from "./ag-ui-events.ts";
import { encryptMetadata } from "./ag-ui-metadata.ts";
import { isRecord } from "./chunk-shape.ts";
import type { ProviderMetadata } from "./chunks.ts";
import { mergeProviderMetadata } from "./merge-metadata.ts";
import { OwnedContainers } from "./owned-containers.ts";

/** A message of the client's. */
interface KnownMessage {
  isAssistant: boolean;
  /** The subagent whose message it is. */
  subagentRunId: string | undefined;
}

/** A tool call in the messages of the request. */
export interface KnownCall {
  toolCallId: string;
  tool: string;
  /** Undefined if it is not JSON. */
  input: unknown;
  isAnswered: boolean;
}

/** The events of one run. */
export class AGUIRun {
  /** The tool calls that the client knows. */
  readonly knownCalls: readonly KnownCall[];
  /** Ids that are not given begin with it. */
  runId = "run";
  /** The assistant message that the run's chunks belong to, as the server names it. */
  messageId: string | undefined;
  readonly #messages = new Map<string, KnownMessage>();
  readonly #calls = new Set<string>();
  readonly #encrypted = new Map<string, ProviderMetadata>();
  readonly #owned = new OwnedContainers();
  #events: AGUIEvent[] = [];
  #fresh = 0;

  /** @param messages - Those of the request, of any shape. */
  constructor(messages: unknown) {
    const given = Array.isArray(messages) ? messages.filter(isRecord) : [];
    for (const { id, role } of given) {
      if (typeof id !== "string") continue;
      this.#messages.set(id, { isAssistant: role === "assistant", subagentRunId: undefined });
    }
    this.knownCalls = callsOf(given);
    for (const { toolCallId } of this.knownCalls) this.#calls.add(toolCallId);
  }

  write(...events: AGUIEvent[]): void {
    this.#events.push(...events);
  }

  /** @returns the events since the last call. */
  take(): AGUIEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** @returns the id of a new message: the wanted one unless the client knows a message with it. */
  addMessage(wanted: string | undefined, message: KnownMessage): string {
    const id = wanted && !this.#messages.has(wanted) ? wanted : this.#freshId();
    this.#messages.set(id, message);
    return id;
  }

  messageOf(id: string): KnownMessage | undefined {
    return this.#messages.get(id);
  }

  /** @returns the id of a new call, likewise. */
  addCall(wanted: string): string {
    const id = wanted && !this.#calls.has(wanted) ? wanted : this.#freshId();
    this.#calls.add(id);
    return id;
  }

  /** Adds what a provider wants back for a message or a call. */
  encrypt(subtype: "message" | "tool-call", entityId: string, added: ProviderMetadata | undefined): void {
    if (added === undefined) return;
    const name = subtype + entityId;
    const all = mergeProviderMetadata(this.#encrypted.get(name), added, this.#owned);
    this.#encrypted.set(name, all);
    const encryptedValue = encryptMetadata(all);
    this.write({ type: "REASONING_ENCRYPTED_VALUE", subtype, entityId, encryptedValue });
  }

  #freshId(): string {
    for (;;) {
      const id = `${this.runId}:${this.#fresh++}`;
      if (!this.#messages.has(id) && !this.#calls.has(id)) return id;
    }
  }
}

function callsOf(messages: Record<string, unknown>[]): KnownCall[] {
  const answered = new Set(
    messages.filter(({ role }) => role === "tool").map((message) => message.toolCallId),
  );
  return messages
    .flatMap(({ toolCalls }) => (Array.isArray(toolCalls) ? toolCalls.filter(isRecord) : []))
    .flatMap(({ id, function: called }) => {
      if (typeof id !== "string" || !isRecord(called)) return [];
      const { name, arguments: text } = called;
      return [
        {
          toolCallId: id,
          tool: typeof name === "string" ? name : "",
          input: parseInput(text),
          isAnswered: answered.has(id),
        },
      ];
    });
}

/** Reads the arguments of a call, which may have been cut off. */
export function parseInput(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}
