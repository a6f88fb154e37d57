/**
 * The texts of a streamed chat completion: the answer, a refusal, the transcript of speech, and the reasoning, with the
 * sources and pictures between them. One text is open at a time; each has a key of its own.
 */
import type { Citation, StreamChunk } from "@kortyx/protocol";
import { isRecord, listOf, textOf } from "./loose-values.ts";
import { parseDataURL } from "./model-history.ts";
import type { OpenAIChatAudioDelta, OpenAIChatDelta } from "./openai-chat-events.ts";

type Kind = "text" | "refusal" | "transcript" | "reasoning";

export class OpenAIChatTexts {
  readonly #onUnknown: (event: unknown) => void;
  #responseId = "";
  #count = 0;
  #open: { kind: Kind; segmentId: string } | undefined;
  /** What the provider wants back with the reasoning, and the key of the latest one. */
  readonly #reasoning: Record<string, unknown> = {};
  #reasoningId: string | undefined;
  #hasLateDetails = false;
  readonly #audio: Record<string, unknown> = {};
  #citations: Citation[] = [];

  constructor(onUnknown: (event: unknown) => void) {
    this.#onUnknown = onUnknown;
  }

  /** @param responseId - Begins the keys. */
  read(delta: OpenAIChatDelta, responseId: string): StreamChunk[] {
    this.#responseId = responseId;
    return [
      ...this.#readReasoning(delta),
      ...this.#readContent(delta.content),
      ...this.#add("refusal", textOf(delta.refusal)),
      ...this.#readAudio(delta.audio),
      ...this.#readAnnotations(delta.annotations),
      ...this.#readImages(delta.images),
    ];
  }

  /** A call begins: no model reasons on after it. */
  endReasoning(): StreamChunk[] {
    return this.#open?.kind === "reasoning" ? this.end() : [];
  }

  /** Nothing more comes of the open text. */
  end(): StreamChunk[] {
    const open = this.#open;
    if (open === undefined) return [];
    this.#open = undefined;
    const { kind, segmentId } = open;
    if (kind === "reasoning") {
      this.#hasLateDetails = false;
      return [this.#toReasoningEnd(segmentId)];
    }
    const citations = this.#citations;
    this.#citations = [];
    const hasAudio = kind === "transcript" && Object.keys(this.#audio).length > 0;
    return [
      {
        type: "text-end",
        segmentId,
        ...(citations.length > 0 && { citations }),
        ...(hasAudio && { providerMetadata: { openai: { audio: { ...this.#audio } } } }),
      },
    ];
  }

  /** @returns what came for the reasoning after its end. */
  describeReasoning(): StreamChunk[] {
    if (!this.#hasLateDetails || this.#reasoningId === undefined) return [];
    const providerMetadata = { openai: { ...this.#reasoning } };
    return [{ type: "part-metadata", segmentId: this.#reasoningId, providerMetadata }];
  }

  #nextKey(): string {
    return `${this.#responseId}:${this.#count++}`;
  }

  #toReasoningEnd(segmentId: string): StreamChunk {
    const openai = { ...this.#reasoning };
    const hasFields = Object.keys(openai).length > 0;
    return { type: "reasoning-end", segmentId, ...(hasFields && { providerMetadata: { openai } }) };
  }

  #add(kind: Kind, delta: string | undefined): StreamChunk[] {
    if (delta === undefined) return [];
    const chunks = this.#begin(kind);
    const { segmentId } = this.#open!;
    return [...chunks, { type: kind === "reasoning" ? "reasoning-delta" : "text-delta", segmentId, delta }];
  }

  #begin(kind: Kind): StreamChunk[] {
    if (this.#open?.kind === kind) return [];
    const chunks = this.end();
    const segmentId = this.#nextKey();
    this.#open = { kind, segmentId };
    if (kind === "reasoning") this.#reasoningId = segmentId;
    if (kind !== "refusal") return chunks;
    // In the first chunk, so that a refusal that is cut off is known as one, too.
    return [...chunks, { type: "text-start", segmentId, providerMetadata: { openai: { refusal: true } } }];
  }

  /** A server that sends both fields repeats the text. */
  #readReasoning({
    reasoning_content: content,
    reasoning,
    reasoning_details: details,
  }: OpenAIChatDelta): StreamChunk[] {
    const field = textOf(content) === undefined ? "reasoning" : "reasoning_content";
    const text = textOf(content) ?? textOf(reasoning);
    if (text !== undefined) this.#reasoning.field = field;
    const chunks = this.#add("reasoning", text);
    const added = listOf(details).filter(isRecord);
    if (added.length === 0) return chunks;
    this.#reasoning.reasoning_details = added.reduce(addDetail, listOf(this.#reasoning.reasoning_details));
    // The end of reasoning that is open has them, too.
    this.#hasLateDetails = this.#reasoningId !== undefined;
    if (this.#hasLateDetails) return chunks;
    // Reasoning that the provider hides. Another text may be open.
    const segmentId = this.#nextKey();
    this.#reasoningId = segmentId;
    return [{ type: "reasoning-start", segmentId }, this.#toReasoningEnd(segmentId)];
  }

  /** Mistral sends lists of parts. */
  #readContent(content: OpenAIChatDelta["content"]): StreamChunk[] {
    if (!Array.isArray(content)) return this.#add("text", textOf(content));
    return content.flatMap((part: unknown): StreamChunk[] => {
      if (isRecord(part) && part.type === "text") return this.#add("text", textOf(part.text));
      if (isRecord(part) && part.type === "thinking") {
        const texts = listOf(part.thinking).map((item) => (isRecord(item) ? textOf(item.text) : undefined));
        return this.#add("reasoning", textOf(texts.join("")));
      }
      this.#onUnknown({ content: [part] });
      return [];
    });
  }

  #readAudio(audio: OpenAIChatAudioDelta | null | undefined): StreamChunk[] {
    if (!isRecord(audio)) return [];
    for (const name of ["id", "expires_at"]) if (audio[name] != null) this.#audio[name] = audio[name];
    return this.#add("transcript", textOf(audio.transcript));
  }

  #readImages(images: unknown): StreamChunk[] {
    return listOf(images).flatMap((image): StreamChunk[] => {
      const url = isRecord(image) && isRecord(image.image_url) ? textOf(image.image_url.url) : undefined;
      const mediaType = url && parseDataURL(url)?.mediaType;
      if (url && mediaType) return [{ type: "file", mediaType, url }];
      this.#onUnknown({ images: [image] });
      return [];
    });
  }

  #readAnnotations(annotations: unknown): StreamChunk[] {
    return listOf(annotations).flatMap((annotation): StreamChunk[] => {
      const page = isRecord(annotation) && isRecord(annotation.url_citation) && annotation.url_citation;
      const url = page && textOf(page.url);
      if (!page || !url) {
        this.#onUnknown({ annotations: [annotation] });
        return [];
      }
      const [start, end] = [page.start_index, page.end_index].map((at) => (isIndex(at) ? at : undefined));
      this.#citations.push({
        sourceId: url,
        ...(start !== undefined && end !== undefined && { start, end }),
      });
      const title = textOf(page.title);
      return [{ type: "source", id: url, url, ...(title !== undefined && { title }) }];
    });
  }
}

const isIndex = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;

/** Puts the pieces of one text together, so that the list is that of a response that is not streamed. */
function addDetail(details: unknown[], added: Record<string, unknown>): unknown[] {
  const last = details.at(-1);
  const field = added.type === "reasoning.summary" ? "summary" : "text";
  const continues =
    isRecord(last) &&
    last.type === added.type &&
    last.index === added.index &&
    (added.type === "reasoning.text" || added.type === "reasoning.summary");
  if (!continues) return [...details, added];
  const set = Object.fromEntries(Object.entries(added).filter(([, value]) => value != null));
  return [
    ...details.slice(0, -1),
    { ...last, ...set, [field]: `${textOf(last[field]) ?? ""}${textOf(added[field]) ?? ""}` },
  ];
}
