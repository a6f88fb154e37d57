/**
 * Texts and reasoning as the AI SDK reads them: each with a start, an end and an id. `answer-text.ts` decides which text a
 * chunk belongs to.
 */
import type { AISDKCitation, AISDKCitedSource } from "./ai-sdk-chunks.ts";
import { UniqueIds } from "./ai-sdk-ids.ts";
import { type AISDKDraft, compact, type OwnPartMetadata, toProviderMetadata } from "./ai-sdk-metadata.ts";
import { type AnswerText, AnswerTexts, type TextChunk } from "./answer-text.ts";
import type { Citation, MessageChunk, PartMetadataChunk, ProviderMetadata } from "./chunks.ts";
import { mergeProviderMetadata } from "./merge-metadata.ts";
import { OwnedContainers } from "./owned-containers.ts";

/** A part of a text that the reader has, or will have once it has been described. */
interface ShownText {
  type: AnswerText["type"];
  id: string;
  own: OwnPartMetadata;
  metadata: Readonly<ProviderMetadata> | undefined;
  /** Not in an event yet. */
  isChanged: boolean;
  citations: Citation[];
  /** Its end is in an event: nothing reaches it. */
  isSent: boolean;
}

/** Events that begin a part need an open step. */
export interface AISDKOutput {
  /** Adds an event that needs a step. */
  write(event: AISDKDraft): void;
  /** A text or a call begins: whether another step does, too, depends on what came before. */
  beginPart(type: "text" | "call" | "provider-call"): void;
}

/** Writes the texts of one stream. The cost is linear in the size of each chunk. */
export class AISDKTexts {
  readonly #out: AISDKOutput;
  readonly #sources: ReadonlyMap<string, AISDKCitedSource>;
  readonly #owned = new OwnedContainers();
  readonly #texts = new AnswerTexts((text, added) => this.#show(text, added));
  readonly #shown = new WeakMap<AnswerText, ShownText>();
  readonly #open = new Set<ShownText>();
  /** Ended, but what a provider wants back, or a cited source, may still follow. */
  readonly #ending = new Set<ShownText>();
  readonly #ids = { text: new UniqueIds(), reasoning: new UniqueIds() };
  #count = 0;
  /** What the current chunk brings for a text that it begins. */
  #brought: ProviderMetadata | undefined;

  constructor(out: AISDKOutput, sources: ReadonlyMap<string, AISDKCitedSource>) {
    this.#out = out;
    this.#sources = sources;
  }

  apply(chunk: TextChunk | MessageChunk): void {
    if (chunk.type === "message") {
      this.#texts.apply(chunk);
      return;
    }
    const { type, providerMetadata } = chunk;
    this.#brought = providerMetadata;
    this.#texts.apply(chunk);
    this.#brought = undefined;
    const text = this.#texts.textOf(chunk);
    if (providerMetadata && type !== "text-start" && type !== "reasoning-start") {
      this.#describe(text, providerMetadata);
    }
    const shown = text && this.#shown.get(text);
    if (type === "text-end" && shown && !shown.isSent) shown.citations.push(...(chunk.citations ?? []));
  }

  /** Reaches a text until the next chunk that is about something else. */
  applyMetadata({ segmentId, providerMetadata }: PartMetadataChunk): void {
    this.#describe(this.#texts.newestOf(segmentId), providerMetadata);
  }

  /** A part begins that ends a text without a key. */
  endUnkeyed(): void {
    this.#texts.endUnkeyed();
  }

  /** A part begins that splits a text without a key: what follows becomes another part. */
  splitUnkeyed(): void {
    const text = this.#texts.unkeyed;
    const shown = text && this.#shown.get(text);
    if (!shown || text.isSplit) return;
    this.#end(shown);
    text.isSplit = true;
  }

  /** Writes the ends that were held back. */
  release(): void {
    for (const shown of this.#ending) this.#writeEnd(shown);
    this.#ending.clear();
  }

  /** The stream has ended. */
  close(): void {
    for (const shown of this.#open) this.#end(shown);
    this.release();
  }

  /** A text has begun, grown or ended. */
  #show(text: AnswerText, added: string): void {
    text.index ??= this.#count++;
    let shown = this.#shown.get(text);
    if (text.state === "done" && added === "") {
      if (shown) this.#end(shown);
      return;
    }
    if (!shown || text.isSplit) {
      shown = this.#begin(text, shown !== undefined);
      text.isSplit = false;
    }
    if (added !== "") this.#out.write({ type: `${shown.type}-delta`, id: shown.id, delta: added });
    if (text.state === "done") this.#end(shown);
  }

  #begin(text: AnswerText, isContinuation: boolean): ShownText {
    this.release();
    const { type, key } = text;
    this.#out.beginPart("text");
    const own: OwnPartMetadata = isContinuation && type === "text" ? { isContinuation: true } : {};
    const metadata = this.#brought;
    const id = this.#ids[type].take(key || `${type}-${this.#count}`);
    const shown = { type, id, own, metadata, isChanged: false, citations: [], isSent: false };
    this.#shown.set(text, shown);
    this.#open.add(shown);
    const providerMetadata = toProviderMetadata(metadata, own);
    this.#out.write({ type: `${type}-start`, id, providerMetadata });
    return shown;
  }

  #describe(text: AnswerText | undefined, added: ProviderMetadata): void {
    const shown = text && this.#shown.get(text);
    if (!shown || shown.isSent) return;
    shown.metadata = mergeProviderMetadata(shown.metadata, added, this.#owned);
    shown.isChanged = true;
  }

  #end(shown: ShownText): void {
    if (this.#open.delete(shown)) this.#ending.add(shown);
  }

  #writeEnd(shown: ShownText): void {
    const { type, id, own, metadata, isChanged, citations } = shown;
    shown.isSent = true;
    const providerMetadata = isChanged ? toProviderMetadata(metadata, own) : undefined;
    if (type === "reasoning") {
      this.#out.write({ type: "reasoning-end", id, providerMetadata });
      return;
    }
    const cited = citations.flatMap((citation) => this.#toCitation(citation));
    this.#out.write({
      type: "text-end",
      id,
      citations: cited.length > 0 ? cited : undefined,
      providerMetadata,
    });
  }

  /** @returns nothing for a source that the stream does not have: the SDK wants it whole. */
  #toCitation({ sourceId, start, end, quote, providerMetadata }: Citation): AISDKCitation[] {
    const source = this.#sources.get(sourceId);
    if (!source) return [];
    const described = toProviderMetadata({ ...source.providerMetadata, ...providerMetadata });
    const whole = described ? { ...source, providerMetadata: described } : source;
    return [compact({ source: whole, startIndex: start, endIndex: end, citedText: quote }) as AISDKCitation];
  }
}
