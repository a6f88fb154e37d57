/**
 * The texts and the reasoning in a stream of OpenAI's Responses API, as chunks: with what they quote, and with what OpenAI
 * wants back.
 */
import type { Citation, StreamChunk } from "@kortyx/protocol";
import type { Item } from "./openai-responses-items.ts";

/** A text, or a piece of reasoning. */
interface OpenText {
  type: "text" | "reasoning";
  segmentId: string;
  /** The position of its item in the output. */
  index: number;
  text: string;
  isOpen: boolean;
  annotations: unknown[];
  /** What OpenAI wants back. */
  rest: Record<string, unknown>;
}

/** Where a text is in the output. */
export interface TextPlace {
  item_id?: string | undefined;
  output_index: number;
  /** Of a message or of unabridged reasoning. */
  content_index?: number | undefined;
  /** Of a summary of reasoning. */
  summary_index?: number | undefined;
}

/** Follows the texts of one response. */
export class ResponseTexts {
  /** Of all texts, also those that have ended: by segment. */
  readonly #texts = new Map<string, OpenText>();
  /** The ids of the sources that have been sent. */
  readonly #sources = new Set<string>();
  /** Of messages, by their position in the output. */
  readonly #phases = new Map<number, string>();
  /** The positions of compactions that have begun. */
  readonly #compactions = new Set<number>();
  readonly #prefix: () => string;

  /** @param prefix - Returns the id of the response. */
  constructor(prefix: () => string) {
    this.#prefix = prefix;
  }

  /** @param kind - `output_text`, `refusal`, `reasoning_text` or `summary_text`. */
  start(place: TextPlace, kind: string): StreamChunk[] {
    return this.#open(place, kind)[1];
  }

  addDelta(place: TextPlace, kind: string, delta: string): StreamChunk[] {
    if (delta === "") return [];
    const [text, started] = this.#open(place, kind);
    text.text += delta;
    const { type, segmentId } = text;
    return [...started, { type: `${type}-delta`, segmentId, delta }];
  }

  /** The text quotes a source. @returns the source, the first time. */
  annotate(place: TextPlace, annotation: unknown): StreamChunk[] {
    const [text, started] = this.#open(place, "output_text");
    text.annotations.push(annotation);
    return [...started, ...this.#toSource(annotation)];
  }

  /** @param part - The whole text, for streams that have left out pieces of it. */
  end(place: TextPlace, kind: string, part: Record<string, unknown> = {}): StreamChunk[] {
    const known = this.#texts.get(this.#keyOf(place, kind));
    if (known && !known.isOpen) return [];
    const whole = part.text ?? part.refusal;
    const chunks: StreamChunk[] = [];
    const isMissing = !known?.text && typeof whole === "string";
    chunks.push(...(isMissing ? this.addDelta(place, kind, whole) : []));
    const text = this.#texts.get(this.#keyOf(place, kind));
    if (text === undefined) return chunks;
    const annotations = Array.isArray(part.annotations) ? part.annotations : [];
    for (const annotation of annotations.slice(text.annotations.length)) {
      chunks.push(...this.annotate(place, annotation));
    }
    chunks.push(this.#close(text));
    return chunks;
  }

  /** A message begins: its texts belong to this phase of the answer. */
  addMessage(index: number, { phase }: Item): void {
    if (typeof phase === "string") this.#phases.set(index, phase);
  }

  /** A message is whole: what it has that no event has reported. */
  endMessage(index: number, item: Item): StreamChunk[] {
    this.addMessage(index, item);
    const content = Array.isArray(item.content) ? item.content : [];
    return content.flatMap((part: Record<string, unknown>, content_index): StreamChunk[] => {
      const place = { item_id: item.id as string, output_index: index, content_index };
      const chunks = this.end(place, String(part.type), part);
      const text = this.#texts.get(this.#keyOf(place, String(part.type)));
      const isWhole = item.status === undefined || item.status === "completed";
      if (!text || isWhole) return chunks;
      const { segmentId } = text;
      return [...chunks, toMetadata(segmentId, { status: item.status })];
    });
  }

  /** Reasoning is whole. Also without a text, it is a part of the message: OpenAI wants it back. */
  endReasoning(index: number, item: Item): StreamChunk[] {
    const { id, summary, content, type, created_by, ...rest } = item;
    const item_id = typeof id === "string" ? id : undefined;
    const toEnds = (parts: unknown, kind: string, field: "content_index" | "summary_index") =>
      (Array.isArray(parts) ? parts : []).flatMap((part, at) =>
        this.end({ item_id, output_index: index, [field]: at }, kind, part),
      );
    const ends = [
      ...toEnds(summary, "summary_text", "summary_index"),
      ...toEnds(content, "reasoning_text", "content_index"),
    ];
    const wanted = Object.entries(rest).filter(([, value]) => value !== undefined && value !== null);
    const added = Object.fromEntries(wanted);
    const last = [...this.#texts.values()].findLast((text) => text.index === index);
    if (last) return wanted.length === 0 ? ends : [...ends, toMetadata(last.segmentId, added)];
    return [...ends, ...this.#endHidden(index, { ...(item_id !== undefined && { item_id }), ...added })];
  }

  /** Earlier parts of the conversation become one item that only OpenAI can read. */
  startCompaction(index: number): StreamChunk[] {
    this.#compactions.add(index);
    return [{ type: "reasoning-start", segmentId: this.#segmentOf(index, "hidden") }];
  }

  endCompaction(index: number, { created_by, ...item }: Item): StreamChunk[] {
    return this.#endHidden(index, item);
  }

  /** The spoken answer is over. */
  endAll(): StreamChunk[] {
    return [...this.#texts.values()].filter(({ isOpen }) => isOpen).map((text) => this.#close(text));
  }

  #endHidden(index: number, openai: Record<string, unknown>): StreamChunk[] {
    const segmentId = this.#segmentOf(index, "hidden");
    return [
      ...(this.#compactions.has(index) ? [] : [{ type: "reasoning-start", segmentId } as const]),
      { type: "reasoning-end", segmentId, providerMetadata: { openai } },
    ];
  }

  #segmentOf(index: number, at: number | string): string {
    return `${this.#prefix()}:${index}:${at}`;
  }

  #keyOf({ output_index, content_index, summary_index }: TextPlace, kind: string): string {
    // A summary and the reasoning itself have numbers of their own.
    const at = kind === "reasoning_text" ? `text-${content_index}` : (summary_index ?? content_index ?? 0);
    return this.#segmentOf(output_index, at);
  }

  #open(place: TextPlace, kind: string): [OpenText, StreamChunk[]] {
    const segmentId = this.#keyOf(place, kind);
    const known = this.#texts.get(segmentId);
    if (known) return [known, []];
    const type = kind === "reasoning_text" || kind === "summary_text" ? "reasoning" : "text";
    const { item_id, output_index: index } = place;
    const isUsual = kind === "output_text" || kind === "summary_text";
    const rest = { ...(item_id !== undefined && { item_id }), ...(!isUsual && { type: kind }) };
    const text: OpenText = { type, segmentId, index, text: "", isOpen: true, annotations: [], rest };
    this.#texts.set(segmentId, text);
    return [text, [{ type: `${type}-start`, segmentId }]];
  }

  #close(text: OpenText): StreamChunk {
    const { type, segmentId, annotations, rest } = text;
    text.isOpen = false;
    // Empty texts are left out, also in later requests.
    if (type === "text" && text.text === "") return { type: "text-end", segmentId };
    const phase = this.#phases.get(text.index);
    const openai = {
      ...rest,
      ...(phase !== undefined && { phase }),
      ...(annotations.length > 0 && { annotations }),
    };
    const provided = Object.keys(openai).length > 0 && { providerMetadata: { openai } };
    if (type === "reasoning") return { type: "reasoning-end", segmentId, ...provided };
    const citations = toCitations(annotations, text.text);
    return { type: "text-end", segmentId, ...(citations.length > 0 && { citations }), ...provided };
  }

  #toSource(annotation: unknown): StreamChunk[] {
    const { type, url, title, file_id, filename, container_id } = Object(annotation) as Fields;
    const id = idOf(annotation);
    if (id === undefined || this.#sources.has(id)) return [];
    this.#sources.add(id);
    if (type === "url_citation") {
      return [{ type: "source", id, url: String(url), ...(typeof title === "string" && { title }) }];
    }
    const openai = { type, file_id, ...(container_id !== undefined && { container_id }) };
    const name = typeof filename === "string" && { name: filename };
    return [{ type: "source", id, ...name, providerMetadata: { openai } }];
  }
}

type Fields = Record<string, unknown>;

const toMetadata = (segmentId: string, openai: Record<string, unknown>): StreamChunk => ({
  type: "part-metadata",
  segmentId,
  providerMetadata: { openai },
});

/** @returns the id of the source that an annotation names. */
function idOf(annotation: unknown): string | undefined {
  const { type, url, file_id } = Object(annotation) as Fields;
  const id = type === "url_citation" ? url : file_id;
  return typeof id === "string" ? id : undefined;
}

function toCitations(annotations: unknown[], text: string): Citation[] {
  const toUnits = createUnits(text);
  return annotations.flatMap((annotation): Citation[] => {
    const sourceId = idOf(annotation);
    if (sourceId === undefined) return [];
    const { type, index, start_index = index, end_index = index } = Object(annotation) as Fields;
    // The index of a path is that of a file in a list.
    const range = type === "file_path" ? [] : [toUnits(start_index), toUnits(end_index)];
    const [start, end] = range;
    const hasRange = start !== undefined && end !== undefined && start <= end;
    return [{ sourceId, ...(hasRange && { start, end }) }];
  });
}

/** OpenAI counts code points, as Python does; we count UTF-16 code units, as JavaScript does. */
function createUnits(text: string): (index: unknown) => number | undefined {
  let offsets: number[] | undefined;
  return (index) => {
    if (!Number.isSafeInteger(index) || (index as number) < 0) return undefined;
    offsets ??= toOffsets(text);
    return offsets[index as number] ?? text.length;
  };
}

/** @returns where each code point begins. */
function toOffsets(text: string): number[] {
  const offsets: number[] = [];
  let at = 0;
  for (const point of text) {
    offsets.push(at);
    at += point.length;
  }
  return offsets;
}
