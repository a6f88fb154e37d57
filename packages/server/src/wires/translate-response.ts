/**
 * Turns a stream of the route's own wire into one of another. It reads what our clients read, so heartbeats, back pressure
 * and every end of a stream are those of the route. Knows no other protocol.
 */
import {
  type AssistantUIMessage,
  createSSEDecoder,
  encodeComment,
  type SSEDecoder,
  type StreamChunk,
} from "@kortyx/protocol";
import type { ChunkTranslator } from "@kortyx/protocol/ai-sdk";
import { toMessageChunks } from "@kortyx/protocol/internal";
import type { RouteWire } from "./route-wire.ts";

/** What a client asked for. */
export interface TranslatedRequest {
  /** The JSON of a POST, in the wire. */
  body?: unknown;
  /** The stored message that a run continues: a client that follows it with a GET begins the message anew. */
  continued?: AssistantUIMessage | undefined;
}

/** @param response - A stream of the route; a refusal is returned unchanged. */
export function translateResponse(
  response: Response,
  wire: RouteWire,
  { body, continued }: TranslatedRequest,
): Response {
  if (!response.ok || response.body === null) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(wire.headers)) headers.set(name, value);
  const translator = createTranslator(response.body, wire, body);
  const source = new TranslatedBody(response.body, wire, translator, continued);
  return new Response(new ReadableStream(source, { highWaterMark: 0 }), { status: response.status, headers });
}

/** @throws what the wire throws, after the stream has been left. */
function createTranslator(stream: ReadableStream, wire: RouteWire, body: unknown): ChunkTranslator<object> {
  try {
    return wire.createTranslator(body);
  } catch (error) {
    stream.cancel(error).catch(() => {});
    throw error;
  }
}

const encoder = new TextEncoder();

class TranslatedBody implements UnderlyingDefaultSource<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #lastFrame: string;
  readonly #translator: ChunkTranslator<object>;
  readonly #decoder: SSEDecoder;
  /** To be sent after the chunk that names the message. */
  #earlier: StreamChunk[];
  /** Comments of the current piece. */
  #comments = "";
  /** `[DONE]` has come: the stream ended in order. */
  #isComplete = false;
  /** The client has left. */
  #isLeft = false;

  constructor(
    body: ReadableStream<Uint8Array>,
    wire: RouteWire,
    translator: ChunkTranslator<object>,
    continued: AssistantUIMessage | undefined,
  ) {
    this.#earlier = continued ? toMessageChunks(continued) : [];
    this.#reader = body.getReader();
    this.#lastFrame = wire.lastFrame;
    this.#translator = translator;
    this.#decoder = createSSEDecoder({
      // What the route itself sends is bounded elsewhere.
      maxEventBytes: Number.POSITIVE_INFINITY,
      onComment: (text) => {
        this.#comments += encodeComment(text);
      },
    });
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      let text = "";
      while (text === "") {
        const { done, value } = await this.#reader.read();
        if (this.#isLeft) return;
        if (done) {
          const events = this.#translator.end(this.#isComplete ? "complete" : "truncated");
          controller.enqueue(encoder.encode(print(events) + this.#lastFrame));
          controller.close();
          return;
        }
        text = this.#translate(value);
      }
      controller.enqueue(encoder.encode(text));
    } catch (error) {
      // The client sees a connection that breaks off. Unless it is left, the source would wait forever.
      console.error("A stream could not be translated for another wire:", error);
      this.#reader.cancel(error).catch(() => {});
      throw error;
    }
  }

  cancel(reason: unknown): Promise<void> {
    this.#isLeft = true;
    return this.#reader.cancel(reason);
  }

  #translate(piece: Uint8Array): string {
    this.#decoder.push(piece);
    let text = "";
    for (let event = this.#decoder.next(); event !== undefined; event = this.#decoder.next()) {
      if (event.data === "[DONE]") this.#isComplete = true;
      else text += this.#translateChunk(JSON.parse(event.data));
    }
    text += print(this.#translator.flush()) + this.#comments;
    this.#comments = "";
    return text;
  }

  #translateChunk(chunk: StreamChunk): string {
    const events = this.#translator.translate(chunk);
    if (this.#earlier.length === 0 || chunk.type !== "run-start") return print(events);
    const earlier = this.#earlier.flatMap((one) => this.#translator.translate(one));
    this.#earlier = [];
    return print([...events, ...earlier]);
  }
}

/** JSON escapes every line break. */
const print = (events: object[]): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
