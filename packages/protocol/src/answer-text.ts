/**
 * Defines the text of an answer: which text a chunk belongs to, when another text begins, when a whole `message`
 * repeats the streamed text, and what separates two texts. The folded message, its joined text and the streamed text
 * all use these rules. Builds no parts.
 *
 * A text with a key runs in parallel with others until its `-end`. One without a key also ends where another text,
 * reasoning, a call, a question or a step begins. Sources, files, data and objects end no text.
 */
import type { MessagePart, TextPart } from "./assistant-message.ts";
import type { MessageChunk, StreamChunk, StreamChunkOf } from "./chunks.ts";
import { createToolCallOrder, type OrderedCall } from "./tool-call-order.ts";

type StartOrEndChunk = StreamChunkOf<"text-start" | "text-end" | "reasoning-start" | "reasoning-end">;
type DeltaChunk = StreamChunkOf<"text-delta" | "reasoning-delta">;

/** A chunk that belongs to a text or to reasoning. */
export type TextChunk = StartOrEndChunk | DeltaChunk;

/** Separates two texts of an answer. */
const blankLine = "\n\n";

/** A text of the answer, or a piece of reasoning. */
export interface AnswerText {
  readonly type: TextPart["type"];
  /** `""` without one. */
  readonly key: string;
  /** The node of the latest delta. */
  node: string | undefined;
  /** Empty after an explicit start. */
  text: string;
  state: TextPart["state"];
  /** The index of the part that shows its latest piece in a folded message; undefined before its start or first delta. */
  index?: number | undefined;
  /** Another part stands after that piece: the next piece begins another part. */
  isSplit?: boolean;
}

/** Sorts the chunks of one stream into texts. The cost is linear in the size of each chunk. */
export class AnswerTexts {
  readonly #onChange: (text: AnswerText, added: string) => void;
  /** The open texts with a key, by type and key. */
  readonly #keyed = new Map<string, AnswerText>();
  /** The open text without a key: there is at most one. */
  #unkeyed: AnswerText | undefined;
  /** The text of each type and key that began last, open or ended. */
  readonly #latest = new Map<string, AnswerText>();
  /** The text or reasoning that began last. */
  #newest: AnswerText | undefined;
  readonly #repeats = new RepeatedTexts();

  /** @param onChange - Called when a text begins, grows by `added`, or ends. */
  constructor(onChange: (text: AnswerText, added: string) => void) {
    this.#onChange = onChange;
  }

  /** The open text without a key, which other parts may end or split. */
  get unkeyed(): AnswerText | undefined {
    return this.#unkeyed;
  }

  /** Adds a text of an earlier stream, after those before it. It is not continued, nor repeated by a whole message. */
  resume(text: AnswerText): void {
    this.#latest.set(text.type + text.key, text);
    this.#newest = text;
  }

  /** @returns the text that the chunk belongs to: an open one or, for an `-end`, also one that has ended. */
  textOf(chunk: TextChunk): AnswerText | undefined {
    const type = chunk.type.startsWith("text") ? "text" : "reasoning";
    const key = keyOf(chunk);
    return this.#find(type, key) ?? (chunk.type.endsWith("-end") ? this.#latest.get(type + key) : undefined);
  }

  /** @returns the text or reasoning of the segment that began last; of all of them without a segment. */
  newestOf(segmentId: string | undefined): AnswerText | undefined {
    if (segmentId === undefined) return this.#newest;
    const text = this.#latest.get(`text${segmentId}`);
    const reasoning = this.#latest.get(`reasoning${segmentId}`);
    return (reasoning?.index ?? -1) > (text?.index ?? -1) ? reasoning : text;
  }

  /** Applies a text, reasoning or message chunk; any other changes nothing. */
  apply(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "text-delta":
        this.#applyDelta("text", chunk);
        break;
      case "reasoning-delta":
        this.#applyDelta("reasoning", chunk);
        break;
      case "text-start":
        this.#applyStart("text", chunk);
        break;
      case "reasoning-start":
        this.#applyStart("reasoning", chunk);
        break;
      case "text-end":
        this.#applyEnd("text", chunk);
        break;
      case "reasoning-end":
        this.#applyEnd("reasoning", chunk);
        break;
      case "message":
        this.#applyMessage(chunk);
    }
  }

  /** A part begins that ends a text without a key: anything but a text, a source, a file, data or an object. */
  endUnkeyed(): void {
    const text = this.#unkeyed;
    this.#unkeyed = undefined;
    if (text) this.#end(text);
  }

  #applyDelta(type: AnswerText["type"], chunk: DeltaChunk): void {
    const { delta } = chunk;
    // An empty delta begins no text, because many providers send one first; but some send a signature with it.
    if (delta === "" && !chunk.providerMetadata) return;
    const text = this.#find(type, keyOf(chunk)) ?? this.#begin(type, chunk);
    if (delta !== "" && text.text === "" && type === "text") this.#repeats.addStreamed(text);
    text.text += delta;
    text.node = chunk.node;
    this.#onChange(text, delta);
  }

  #applyStart(type: AnswerText["type"], chunk: StartOrEndChunk): void {
    const key = keyOf(chunk);
    if (key === "" || !this.#find(type, key)) this.#onChange(this.#begin(type, chunk), "");
  }

  #applyEnd(type: AnswerText["type"], chunk: StartOrEndChunk): void {
    const text = this.#find(type, keyOf(chunk));
    if (text === undefined) return;
    if (text === this.#unkeyed) {
      this.endUnkeyed();
      return;
    }
    this.#keyed.delete(type + text.key);
    this.#end(text);
  }

  #applyMessage({ content, node }: MessageChunk): void {
    if (content === "") return;
    const isRepeated = this.#repeats.isRepeated(content);
    this.endUnkeyed();
    if (isRepeated) return;
    const text: AnswerText = { type: "text", key: "", node, text: content, state: "done" };
    this.#repeats.addWhole(text);
    this.resume(text);
    this.#onChange(text, content);
  }

  #find(type: AnswerText["type"], key: string): AnswerText | undefined {
    if (key !== "") return this.#keyed.get(type + key);
    return this.#unkeyed?.type === type ? this.#unkeyed : undefined;
  }

  #begin(type: AnswerText["type"], chunk: TextChunk): AnswerText {
    const key = keyOf(chunk);
    const text: AnswerText = { type, key, node: chunk.node, text: "", state: "streaming" };
    this.endUnkeyed();
    if (key === "") this.#unkeyed = text;
    else this.#keyed.set(type + key, text);
    this.resume(text);
    return text;
  }

  #end(text: AnswerText): void {
    text.state = "done";
    if (text.type === "text") this.#repeats.addEnded(text);
    this.#onChange(text, "");
  }
}

/** Distinguishes parallel texts; `""` without a key. */
const keyOf = ({ segmentId, opId, id }: TextChunk): string => segmentId ?? opId ?? id ?? "";

/**
 * Whether a whole `message` repeats the streamed text. Some agents stream a text and then send it again in one piece:
 * that text alone, the texts of all turns one by one, or all of them joined.
 */
class RepeatedTexts {
  /** Every text, streamed or whole. */
  readonly #all: AnswerText[] = [];
  /** The streamed text that began last. It may be repeated more than once. */
  #newest: AnswerText | undefined;
  /** The number of finished texts with this content that have not been repeated yet. */
  readonly #unrepeated = new Map<string, number>();

  /** A streamed text has its first delta. */
  addStreamed(text: AnswerText): void {
    this.#newest = text;
    this.#all.push(text);
  }

  addEnded({ text }: AnswerText): void {
    const content = text.trim();
    if (content !== "") this.#unrepeated.set(content, (this.#unrepeated.get(content) ?? 0) + 1);
  }

  addWhole(text: AnswerText): void {
    this.#all.push(text);
  }

  /** The cost is linear in the size of the content. */
  isRepeated(content: string): boolean {
    if (this.#newest === undefined) return false;
    const whole = content.trim();
    if (isJoined(whole, [this.#newest])) return true;
    const times = this.#unrepeated.get(whole) ?? 0;
    if (times > 0) this.#unrepeated.set(whole, times - 1);
    return times > 0 || isJoined(whole, this.#all);
  }
}

/** How much longer than a short `message` the texts that it repeats may be: some models begin each with blank lines. */
const usualWhiteSpace = 100;

/** Whether `content` is these texts in sequence, ignoring white space between them. */
function isJoined(content: string, texts: AnswerText[]): boolean {
  let at = 0;
  let length = 0;
  for (const { text } of texts) {
    length += text.length;
    // Ignoring white space, they are longer: continuing could take more than linear time.
    if (length > 2 * content.length + usualWhiteSpace) return false;
    const trimmed = text.trim();
    while (/\s/.test(content.charAt(at))) at++;
    if (!content.startsWith(trimmed, at)) return false;
    at += trimmed.length;
  }
  return at === content.length;
}

/**
 * Joins the texts of an answer with a blank line between them. A text split only by files, data or objects stays one text.
 * Reasoning, tool calls and everything else are left out.
 *
 * The one rule for text that is copied, searched, sent as history or returned in a buffered result.
 *
 * @example
 * ```ts
 * const { parts } = reduceMessage([
 *   { type: "text-delta", delta: "Let me look." },
 *   { type: "tool-call-start", toolCallId: "1", tool: "weather", input: { city: "Rome" } },
 *   { type: "text-delta", delta: "It is 21 °C." },
 * ]);
 * joinTextParts(parts); // "Let me look.\n\nIt is 21 °C."
 * ```
 */
export function joinTextParts(parts: readonly MessagePart[]): string {
  let joined = "";
  for (const part of parts) {
    // A message loaded from a store may lack its text.
    if (part.type !== "text" || !part.text) continue;
    joined += (joined === "" || part.isContinuation ? "" : blankLine) + part.text;
  }
  return joined;
}

/**
 * Creates a reader of the text of one stream, for a consumer that does not build the message. Keeps the texts and the
 * inputs of tool calls.
 *
 * @returns A function that returns the text that a chunk adds, `""` for nothing. The concatenated pieces equal what
 * {@link joinTextParts} returns for the message; parallel texts are interleaved as streamed.
 */
export function createTextPieces(): (chunk: StreamChunk) => string {
  let piece = "";
  let hasText = false;
  const texts = new AnswerTexts(({ type, text }, added) => {
    if (type !== "text" || added === "") return;
    const isFirst = text.length === added.length;
    piece = isFirst && hasText ? blankLine + added : added;
    hasText = true;
  });
  const calls = createToolCallOrder();
  /** Any index will do: here it only marks a call as known. */
  const beginCall = (call: OrderedCall) => {
    if (call.index === undefined) texts.endUnkeyed();
    call.index = 0;
  };
  return (chunk) => {
    piece = "";
    switch (chunk.type) {
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-progress":
      case "tool-call-result":
      case "tool-call-error":
      case "tool-call-denied":
        beginCall(calls.callOf(chunk));
        break;
      case "tool-result":
        beginCall(calls.callOfLegacyResult(chunk) ?? {});
        break;
      case "step-start":
        texts.endUnkeyed();
        break;
      case "interrupt":
        texts.endUnkeyed();
        calls.ask(chunk);
        break;
      case "interrupt-resolved":
        calls.resolve(chunk);
        break;
      default:
        texts.apply(chunk);
    }
    return piece;
  };
}
