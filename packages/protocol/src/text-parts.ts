/**
 * The parts that show the texts of an answer, with their citations and what their providers want back. `answer-text.ts`
 * decides which text a chunk belongs to.
 */
import { type AnswerText, AnswerTexts, type TextChunk } from "./answer-text.ts";
import type { TextPart } from "./assistant-message.ts";
import type { Citation, MessageChunk, PartMetadataChunk, ProviderFields } from "./chunks.ts";
import { mergeProviderMetadata } from "./merge-metadata.ts";
import type { MessageParts } from "./message-parts.ts";
import type { OwnedContainers } from "./owned-containers.ts";

/** What is added to a text apart from its characters. */
interface TextDetails extends ProviderFields {
  citations?: readonly Citation[] | undefined;
}

/** Writes the texts of one stream into the parts of its message. The cost is linear in the size of each chunk. */
export class TextParts {
  readonly #parts: MessageParts;
  readonly #owned: OwnedContainers;
  readonly #texts = new AnswerTexts((text, added) => this.#show(text, added));

  constructor(parts: MessageParts, owned: OwnedContainers) {
    this.#parts = parts;
    this.#owned = owned;
  }

  apply(chunk: TextChunk | MessageChunk): void {
    if (chunk.type === "message") {
      this.#texts.apply(chunk);
      return;
    }
    const { type, providerMetadata } = chunk;
    const citations = type === "text-end" ? chunk.citations : undefined;
    this.#texts.apply(chunk);
    if (providerMetadata || citations) {
      this.#describe(this.#texts.textOf(chunk), { providerMetadata, citations });
    }
  }

  /** Adds to the segment, also if it has ended; without one, to the text or reasoning that began last. */
  applyMetadata(chunk: PartMetadataChunk): void {
    this.#describe(this.#texts.newestOf(chunk.segmentId), chunk);
  }

  /** Adds a text of an earlier stream. */
  resume(part: TextPart): void {
    const { type, key, text, node } = part;
    this.#texts.resume({ type, key, text, node, state: "done", index: this.#parts.add(part) });
  }

  /** A part begins that ends a text without a key. */
  endUnkeyed(): void {
    this.#texts.endUnkeyed();
  }

  /** A part begins that splits a text without a key: what follows becomes another part. */
  splitUnkeyed(): void {
    const text = this.#texts.unkeyed;
    if (text?.index === undefined) return;
    this.#parts.close(text.index);
    text.isSplit = true;
  }

  /** A text has begun, grown or ended. */
  #show(whole: AnswerText, added: string): void {
    const { type, key, node, text, state, index, isSplit } = whole;
    if (state === "done" && added === "") {
      if (index !== undefined) this.#parts.close(index);
    } else if (index === undefined || isSplit) {
      const part: TextPart = { type, key, text: added, state, node };
      const isContinuation = type === "text" && text.length > added.length;
      whole.index = this.#parts.add(isContinuation ? { ...part, isContinuation } : part);
      whole.isSplit = false;
    } else {
      const part = this.#parts.at(index) as TextPart;
      this.#parts.set(index, { ...part, text: part.text + added });
    }
  }

  /** Adds to the latest part of a text, which may have ended. */
  #describe(text: AnswerText | undefined, { providerMetadata, citations }: TextDetails): void {
    if (text?.index === undefined) return;
    const { type, key, node, state, index } = text;
    // A text that ended empty is shown after all if its provider wants something back.
    const removed: TextPart | undefined = providerMetadata && { type, key, node, text: "", state };
    let part = (this.#parts.at(index) as TextPart | undefined) ?? removed;
    if (!part) return;
    if (providerMetadata) {
      const merged = mergeProviderMetadata(part.providerMetadata, providerMetadata, this.#owned);
      part = { ...part, providerMetadata: merged };
    }
    if (citations) part = { ...part, citations: this.#append(part, citations) };
    this.#parts.set(index, part);
  }

  #append({ citations = [] }: TextPart, added: readonly Citation[]): readonly Citation[] {
    const all: Citation[] = this.#owned.own(citations);
    for (const citation of added) all.push(citation);
    return all;
  }
}
