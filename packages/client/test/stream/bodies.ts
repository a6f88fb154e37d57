/** Fake response bodies that record how they are used, and answers of scripted fetches. */
import type { StreamChunk } from "@kortyx/protocol";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const frame = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\n\n`;
export const delta = (text: string) => ({ type: "text-delta", delta: text }) as const;
export const doneMarker = "data: [DONE]\n\n";

export interface TestBody {
  stream: ReadableStream<Uint8Array>;
  /** The number of pieces requested. */
  pulls: number;
  /** Set when the body is cancelled. */
  cancelled: { reason: unknown } | undefined;
  push(text: string): void;
  close(): void;
  fail(error: unknown): void;
}

/**
 * A body that yields the pieces, then everything that is pushed. Without `stays`, it closes after the pieces, or fails
 * with `breaks`.
 */
export function testBody(
  pieces: (string | Uint8Array)[],
  { stays = false, breaks }: { stays?: boolean; breaks?: Error | undefined } = {},
): TestBody {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const queue = [...pieces];
  const body: TestBody = {
    stream: new ReadableStream<Uint8Array>(
      {
        start(streamController) {
          controller = streamController;
        },
        pull() {
          body.pulls++;
          const piece = queue.shift();
          if (piece !== undefined) controller.enqueue(typeof piece === "string" ? bytesOf(piece) : piece);
          else if (breaks !== undefined) controller.error(breaks);
          else if (!stays) controller.close();
        },
        cancel(reason) {
          body.cancelled = { reason };
        },
      },
      { highWaterMark: 0 },
    ),
    pulls: 0,
    cancelled: undefined,
    push: (text) => controller.enqueue(bytesOf(text)),
    close: () => controller.close(),
    fail: (error) => controller.error(error),
  };
  return body;
}

/** Collects a stream, and the error that it throws. */
export async function collect<Value>(
  stream: AsyncIterable<Value>,
): Promise<{ chunks: Value[]; error?: unknown }> {
  const chunks: Value[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

export const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const eventStream = { headers: { "content-type": "text/event-stream" } };

/** A response that streams the pieces and then ends. */
export const streamResponse = (...pieces: (string | Uint8Array)[]): Response =>
  new Response(testBody(pieces).stream, eventStream);

/**
 * A response without a `body`, as from React Native and XMLHttpRequest polyfills, with one method that reads it.
 *
 * @param text - The content, or a promise of it.
 */
export function bodilessResponse(
  text: string | Promise<string>,
  {
    status = 200,
    type = "text/event-stream",
    method = "text" as "text" | "arrayBuffer" | "blob" | "none",
  } = {},
): Response {
  const read = {
    text: async () => text,
    arrayBuffer: async () => bytesOf(await text).buffer,
    blob: async () => new Blob([await text]),
  };
  return {
    ok: status >= 200 && status < 300,
    status,
    statusText: "",
    headers: new Headers({ "content-type": type }),
    url: "",
    ...(method !== "none" && { [method]: read[method] }),
  } as Response;
}

/** The steps of a short answer. */
export const greeting: [StreamChunk, string] = [delta("Hi"), doneMarker];

/** An answer that never comes. */
export const never = (): Promise<never> => new Promise(() => {});
