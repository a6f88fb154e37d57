/**
 * The texts, the reasoning and the files of one message, in pieces or whole. Knows no calls and no usage.
 */
import type { Citation, StreamChunk } from "@kortyx/protocol";
import type { PlacedBlock } from "./langgraph-message.ts";

type Node = { node?: string };

interface Segment {
  kind: "text" | "reasoning";
  segmentId: string;
  /** How many characters were sent. */
  length: number;
  isOpen: boolean;
  citations: Citation[];
  /** What the provider wants back, of reasoning. */
  block: Record<string, unknown>;
}

export class MessageTexts {
  readonly #key: string;
  readonly #segments = new Map<string, Segment>();
  readonly #ids = new Set<string>();
  readonly #files = new Set<string>();

  constructor(key: string) {
    this.#key = key;
  }

  /** @param isWhole - The block holds all of its text so far, not only what is new. */
  *add({ place, block }: PlacedBlock, isWhole: boolean, node: Node): Generator<StreamChunk, void, void> {
    if (block.kind === "file") {
      if (isWhole && this.#files.has(place)) return;
      this.#files.add(place);
      yield* this.end(node);
      yield { ...block.file, ...node };
      return;
    }
    if (block.kind !== "text" && block.kind !== "reasoning") return;
    const found = this.#segments.get(`${block.kind}:${place}`);
    const delta = isWhole ? block.text.slice(found?.length ?? 0) : block.text;
    if (block.kind === "text") yield* this.#addText(found, place, block, delta, isWhole, node);
    else yield* this.#addReasoning(found, place, block.block, delta, node);
  }

  *#addText(
    found: Segment | undefined,
    place: string,
    { sources, citations }: Extract<PlacedBlock["block"], { kind: "text" }>,
    delta: string,
    isWhole: boolean,
    node: Node,
  ): Generator<StreamChunk, void, void> {
    // What is whole repeats the earlier ones.
    const known = isWhole ? (found?.citations.length ?? 0) : 0;
    if (delta === "" && citations.length <= known) return;
    const segment = yield* this.#open("text", place, delta, node);
    for (const source of sources.slice(known)) yield { ...source, ...node };
    segment.citations = [...segment.citations, ...citations.slice(known)];
    if (delta !== "") yield this.#append(segment, delta, node);
  }

  *#addReasoning(
    found: Segment | undefined,
    place: string,
    block: Record<string, unknown>,
    delta: string,
    node: Node,
  ): Generator<StreamChunk, void, void> {
    if (found && !found.isOpen && delta === "") {
      const added = { ...found.block, ...block };
      if (JSON.stringify(added) === JSON.stringify(found.block)) return;
      found.block = added;
      const { segmentId } = found;
      yield { type: "part-metadata", segmentId, providerMetadata: { langchain: added } };
      return;
    }
    // The first piece of a provider is often empty, and what it hides has no text at all.
    const isHidden = "data" in block || "signature" in block || "encrypted_content" in block;
    if (found === undefined && delta === "" && !isHidden) return;
    const segment = yield* this.#open("reasoning", place, delta, node);
    segment.block = { ...segment.block, ...block };
    if (delta !== "") yield this.#append(segment, delta, node);
  }

  /** Ends the other segments: a message writes one after the other. */
  *#open(
    kind: Segment["kind"],
    place: string,
    delta: string,
    node: Node,
  ): Generator<StreamChunk, Segment, void> {
    const found = this.#segments.get(`${kind}:${place}`);
    if (found && (found.isOpen || delta === "")) return found;
    yield* this.end(node);
    const segmentId = this.#newId(place);
    const length = found?.length ?? 0;
    const segment: Segment = { kind, segmentId, length, isOpen: true, citations: [], block: {} };
    this.#segments.set(`${kind}:${place}`, segment);
    yield { type: `${kind}-start`, segmentId, ...node };
    return segment;
  }

  #append(segment: Segment, delta: string, node: Node): StreamChunk {
    segment.length += delta.length;
    return { type: `${segment.kind}-delta`, segmentId: segment.segmentId, delta, ...node };
  }

  /** Providers number texts and reasoning apart, and a text may continue after it has ended. */
  #newId(place: string): string {
    let id = `${this.#key}:${place}`;
    for (let number = 2; this.#ids.has(id); number++) id = `${this.#key}:${place}.${number}`;
    this.#ids.add(id);
    return id;
  }

  /** Ends what is open. */
  *end(node: Node): Generator<StreamChunk, void, void> {
    for (const segment of this.#segments.values()) {
      if (!segment.isOpen) continue;
      segment.isOpen = false;
      const { kind, segmentId, citations, block } = segment;
      if (kind === "text") {
        yield { type: "text-end", segmentId, ...(citations.length > 0 && { citations }), ...node };
      } else {
        const providerMetadata = Object.keys(block).length > 0 && { langchain: block };
        yield { type: "reasoning-end", segmentId, ...(providerMetadata && { providerMetadata }), ...node };
      }
    }
  }
}
