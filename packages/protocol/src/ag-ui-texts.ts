/** The texts and the reasoning of a stream, as messages of AG-UI. Where a text begins and ends is decided by `answer-text.ts`. */
import { splitProviderMetadata, toEventMetadata } from "./ag-ui-metadata.ts";
import type { AGUIRun } from "./ag-ui-run.ts";
import { type AnswerText, AnswerTexts, type TextChunk } from "./answer-text.ts";
import type { MessageChunk, PartMetadataChunk } from "./chunks.ts";

interface TextMessage {
  id: string;
  subagentRunId: string | undefined;
}

/** What the event of a chunk has besides its text. */
interface ChunkFields {
  /** The chunk ends its text. */
  isEnd: boolean;
  /** Undefined when an event has it. */
  metadata: Record<string, unknown> | undefined;
  /** Fields under our key. */
  own: Record<string, unknown>;
  subagentRunId: string | undefined;
}

/** Writes the texts of one run. */
export class AGUITexts {
  readonly #run: AGUIRun;
  readonly #texts = new AnswerTexts((text, added) => this.#show(text, added));
  readonly #messages = new Map<AnswerText, TextMessage>();
  readonly #open = new Set<AnswerText>();
  #chunk: ChunkFields | undefined;
  /** Who speaks in a text that begins. */
  #speaker: Record<string, unknown> = {};
  /** The text that calls belong to: the latest one since the last result. */
  #parent: TextMessage | undefined;

  constructor(run: AGUIRun) {
    this.#run = run;
  }

  apply(chunk: TextChunk | MessageChunk, subagentRunId: string | undefined): void {
    const isText = chunk.type !== "message";
    const { metadata, message, encrypted } = splitProviderMetadata(
      isText ? chunk.providerMetadata : undefined,
    );
    const citations = chunk.type === "text-end" ? chunk.citations : undefined;
    const isEnd = chunk.type.endsWith("-end");
    this.#chunk = { isEnd, metadata, own: { citations }, subagentRunId };
    this.#speaker = message;
    this.#texts.apply(chunk);
    if (!isText) return;
    const text = this.#texts.textOf(chunk);
    const id = text && this.#messages.get(text)?.id;
    if (id === undefined) return;
    // No event had the metadata: a repeated start, for example.
    if (this.#chunk.metadata && this.#open.has(text!)) this.#writeContent(text!, "");
    this.#run.encrypt("message", id, encrypted);
  }

  applyMetadata({ segmentId, providerMetadata }: PartMetadataChunk): void {
    const text = this.#texts.newestOf(segmentId);
    const id = text && this.#messages.get(text)?.id;
    if (id !== undefined) this.#run.encrypt("message", id, splitProviderMetadata(providerMetadata).encrypted);
  }

  /** Another part begins that ends a text without a key. */
  endUnkeyed(): void {
    this.#chunk = undefined;
    this.#texts.endUnkeyed();
  }

  /** A result or a step begins another turn of the model: its calls belong to no text before it. */
  endTurn(): void {
    this.#parent = undefined;
  }

  /** @returns the message that a call belongs to: that of the segment, of the latest text, or one of its own. */
  parentOf(segmentId: string | undefined, callId: string, subagentRunId: string | undefined): string {
    if (segmentId) {
      const text = this.#texts.newestOf(segmentId);
      const id = (text && this.#messages.get(text)?.id) ?? segmentId;
      const known = this.#run.messageOf(id);
      if (known === undefined) return this.#run.addMessage(id, { isAssistant: true, subagentRunId });
      if (known.isAssistant && known.subagentRunId === subagentRunId) return id;
    }
    if (this.#parent?.subagentRunId !== subagentRunId) this.#parent = undefined;
    this.#parent ??= {
      id: this.#run.addMessage(callId, { isAssistant: true, subagentRunId }),
      subagentRunId,
    };
    return this.#parent.id;
  }

  end(): void {
    this.#chunk = undefined;
    for (const text of this.#open) this.#close(text);
  }

  #show(text: AnswerText, added: string): void {
    if (!this.#messages.has(text)) this.#begin(text);
    if (added !== "") this.#writeContent(text, added);
    if (text.state === "done") this.#close(text);
  }

  #begin(text: AnswerText): void {
    const subagentRunId = this.#chunk?.subagentRunId;
    const isText = text.type === "text";
    const { role, name } = this.#speaker;
    const isAssistant = isText && (role ?? "assistant") === "assistant";
    const id = this.#run.addMessage(text.key, { isAssistant, subagentRunId });
    const message = { id, subagentRunId };
    // By it, the newer of two texts with the same key is found.
    text.index = this.#messages.size;
    this.#messages.set(text, message);
    this.#open.add(text);
    if (isAssistant) this.#parent = message;
    const fields = { messageId: id, ...this.#takeFields(message, { messageId: this.#run.messageId }) };
    if (isText) {
      this.#run.write({
        type: "TEXT_MESSAGE_START",
        role: isRole(role) ? role : "assistant",
        ...(typeof name === "string" && { name }),
        ...fields,
      });
    } else {
      this.#run.write(
        { type: "REASONING_START", messageId: id, ...tagOf(message) },
        { type: "REASONING_MESSAGE_START", role: "reasoning", ...fields },
      );
    }
  }

  #writeContent(text: AnswerText, delta: string): void {
    const message = this.#messages.get(text)!;
    const type = text.type === "text" ? "TEXT_MESSAGE_CONTENT" : "REASONING_MESSAGE_CONTENT";
    this.#run.write({ type, messageId: message.id, delta, ...this.#takeFields(message) });
  }

  #close(text: AnswerText): void {
    if (!this.#open.delete(text)) return;
    const message = this.#messages.get(text)!;
    const fields = {
      messageId: message.id,
      ...(this.#chunk?.isEnd ? this.#takeFields(message) : tagOf(message)),
    };
    if (text.type === "text") {
      this.#run.write({ type: "TEXT_MESSAGE_END", ...fields });
    } else {
      this.#run.write(
        { type: "REASONING_MESSAGE_END", ...fields },
        { type: "REASONING_END", messageId: message.id, ...tagOf(message) },
      );
    }
  }

  #takeFields(message: TextMessage, own: Record<string, unknown> = {}) {
    const fields = toEventMetadata(this.#chunk?.metadata, { ...own, ...this.#chunk?.own });
    if (this.#chunk) this.#chunk = { ...this.#chunk, metadata: undefined, own: {} };
    return { ...fields, ...tagOf(message) };
  }
}

export const tagOf = ({ subagentRunId }: { subagentRunId: string | undefined }) =>
  subagentRunId === undefined ? {} : { subagentRunId };

const isRole = (role: unknown): role is "assistant" | "user" | "system" | "developer" =>
  ["assistant", "user", "system", "developer"].includes(role as string);
