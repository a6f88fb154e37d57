/** The stream of an answer: its bytes, and what a reader finds in them. */
import {
  createChunkDecoder,
  createSSEDecoder,
  joinTextParts,
  parseEventId,
  reduceMessage,
  reduceStreamError,
  type StreamChunk,
} from "@kortyx/protocol";
import { CheckFailure } from "../check-failure.ts";
import { within } from "../waiting.ts";
import type { Entry } from "./check.ts";

export type Outcome = "done" | "failed" | "aborted" | "cut off";

export class AnswerStream {
  /** Every chunk so far, those of unknown types and repeated ones included. */
  readonly entries: Entry[] = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #timeoutMs: number;
  readonly #pieces: Uint8Array[] = [];
  /** Finds violations. */
  readonly #chunks = createChunkDecoder();
  /** Finds what each event holds. */
  readonly #events = createSSEDecoder();
  #hasEnded = false;

  constructor(body: ReadableStream<Uint8Array> | null, timeoutMs: number) {
    this.#reader = body?.getReader();
    this.#timeoutMs = timeoutMs;
  }

  /** The bytes so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  get chunks(): Entry["chunk"][] {
    return this.entries.map(({ chunk }) => chunk);
  }

  get ids(): string[] {
    return this.entries.map(({ id }) => id);
  }

  /** The run that the event ids name. */
  get runId(): string | undefined {
    return parseEventId(this.lastEventId)?.runId;
  }

  get lastEventId(): string {
    return this.#chunks.lastEventId;
  }

  /** `[DONE]` was read. */
  get isMarkedAsDone(): boolean {
    return this.#chunks.done;
  }

  get heartbeatMs(): number | undefined {
    return this.#chunks.heartbeatMs;
  }

  /** The server has announced that the run may end with its connection. */
  get mustStay(): boolean {
    return this.#chunks.mustStay;
  }

  /** The text of the answer, as section 7.1 defines it. */
  get answerText(): string {
    return joinTextParts(reduceMessage(this.chunks as StreamChunk[]).parts);
  }

  /** What the answer is if it ends here. */
  get outcome(): Outcome {
    if (!this.#chunks.complete) return "cut off";
    const { chunks } = this;
    if (chunks.at(-1)?.type === "abort") return "aborted";
    let error: ReturnType<typeof reduceStreamError>;
    for (const chunk of chunks) error = reduceStreamError(error, chunk);
    return error === undefined ? "done" : "failed";
  }

  /** Reads the whole body, and its chunks. */
  async readAll(): Promise<this> {
    await this.readBytes();
    this.#decode();
    return this;
  }

  /** Reads the whole body, whatever it holds. */
  async readBytes(): Promise<this> {
    const deadline = performance.now() + this.#timeoutMs;
    while (!this.#hasEnded) await this.#read("the end of the body", deadline);
    return this;
  }

  /** Reads until such a chunk. */
  async readUntil(isFound: (entry: Entry) => boolean, what: string): Promise<this> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      this.#decode();
      if (this.entries.some(isFound)) return this;
      if (this.#hasEnded) throw new CheckFailure(what, this.describe());
      await this.#read(what, deadline);
    }
  }

  /** Reads until these bytes come, after those that it has. */
  async readUntilBytes(text: string, what: string, ms: number): Promise<void> {
    const deadline = performance.now() + ms;
    const { length } = this.bytes;
    while (!this.bytes.includes(text, length)) {
      await this.#read(what, deadline);
      if (this.#hasEnded) throw new CheckFailure(what, this.describe());
    }
  }

  /** Closes the connection. */
  async cancel(): Promise<void> {
    await this.#reader?.cancel().catch(() => {});
  }

  /** For a report. */
  describe(): string {
    const lines = this.entries.map(({ id, chunk }) => `${id && `${id} `}${JSON.stringify(chunk)}`);
    const shown = lines.length > 8 ? [...lines.slice(0, 3), "…", ...lines.slice(-4)] : lines;
    const ending = this.isMarkedAsDone ? "[DONE]" : this.#hasEnded ? "the body ended" : "the body is open";
    return [...shown, ending].join(", ");
  }

  async #read(what: string, deadline: number): Promise<void> {
    const reading = this.#reader?.read() ?? Promise.resolve({ done: true, value: undefined });
    const { value } = await within(deadline - performance.now(), what, reading).catch((error: unknown) => {
      if (error instanceof CheckFailure) throw new CheckFailure(`${what} in time`, this.describe());
      // A body that breaks off has ended, too.
      return { value: undefined };
    });
    if (value === undefined) {
      this.#hasEnded = true;
      return;
    }
    this.#pieces.push(value);
    this.#chunks.push(value);
    this.#events.push(value);
  }

  #decode(): void {
    try {
      while (this.#chunks.next() !== undefined);
    } catch (error) {
      throw new CheckFailure("a stream without violations", (error as Error).message);
    }
    for (let event = this.#events.next(); event !== undefined; event = this.#events.next()) {
      if (event.type !== "message") continue;
      if (event.data === "[DONE]") return;
      this.entries.push({ id: event.id ?? "", chunk: JSON.parse(event.data) });
    }
  }
}
