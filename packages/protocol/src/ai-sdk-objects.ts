/**
 * Structured objects as the AI SDK reads them: whole, each time. Sends one again only after it has grown, so that all the
 * events of an object together are linear in the size of its chunks.
 */
import type { AISDKChunk } from "./ai-sdk-chunks.ts";
import { createStructuredStreamAccumulator, type StructuredStreamChunk } from "./fold-structured-data.ts";

/** Where the events go. */
interface ObjectOutput {
  write(event: AISDKChunk): void;
  /** An object begins. */
  beginData(): void;
}

interface ShownObject {
  /** About the JSON of its chunks so far, in characters. */
  received: number;
  /** The same when the object was last sent. */
  sent: number;
}

/** An object of this size is sent again with each flush. */
const smallSize = 4_096;

export class AISDKObjects {
  readonly #out: ObjectOutput;
  readonly #states = createStructuredStreamAccumulator();
  readonly #shown = new Map<string, ShownObject>();
  /** The objects that have changed since they were sent. */
  readonly #changed = new Set<string>();

  constructor(out: ObjectOutput) {
    this.#out = out;
  }

  /** Ignores a chunk that does not fit its object. */
  apply(chunk: StructuredStreamChunk): void {
    const { streamId } = chunk;
    const before = this.#states.get(streamId);
    try {
      this.#states.apply(chunk);
    } catch {
      return;
    }
    if (chunk.type === "structured-data-invalidated") {
      if (!before) return;
      this.#changed.delete(streamId);
      this.#shown.delete(streamId);
      this.#out.write({ type: `data-${before.dataType}`, id: streamId, data: null });
      return;
    }
    const isNew = before === undefined;
    if (isNew) this.#out.beginData();
    if (isNew) this.#shown.set(streamId, { received: 0, sent: 0 });
    this.#shown.get(streamId)!.received += JSON.stringify(chunk).length;
    this.#changed.add(streamId);
    if (isNew || chunk.kind === "final") this.#send(streamId);
  }

  /** Sends the objects that have changed enough. */
  flush(): void {
    for (const streamId of this.#changed) {
      const { received, sent } = this.#shown.get(streamId)!;
      if (received <= smallSize || received - sent >= received / 8) this.#send(streamId);
    }
  }

  /** Sends all that have changed. */
  close(): void {
    for (const streamId of this.#changed) this.#send(streamId);
  }

  #send(streamId: string): void {
    const { dataType, data } = this.#states.get(streamId)!;
    const shown = this.#shown.get(streamId)!;
    shown.sent = shown.received;
    this.#changed.delete(streamId);
    this.#out.write({ type: `data-${dataType}`, id: streamId, data: data ?? null });
  }
}
