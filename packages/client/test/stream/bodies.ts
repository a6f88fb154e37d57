/** Response bodies made by hand, which tell what was done to them. */

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const frame = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\n\n`;
export const delta = (text: string) => ({ type: "text-delta", delta: text }) as const;
export const doneMarker = "data: [DONE]\n\n";

export interface TestBody {
  stream: ReadableStream<Uint8Array>;
  /** How many pieces were asked for. */
  pulls: number;
  /** The reason of its cancellation, once it was cancelled. */
  cancelled: { reason: unknown } | undefined;
  push(text: string): void;
  close(): void;
  fail(error: unknown): void;
}

/**
 * A body that gives the pieces, then whatever is pushed; without `stays`, it closes behind the pieces, or fails with
 * what `breaks` is.
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

/** Collects a stream; what it throws is part of the answer. */
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
 * A response without a `body`, as React Native and XMLHttpRequest polyfills make them, with one method that reads it.
 *
 * @param text - What it holds, or a promise of it.
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

interface FetchCall {
  url: string | URL;
  /** What was passed, with the headers as a `Headers`. */
  init: RequestInit & { headers: Headers };
}

/** A `fetch` that remembers its calls. */
export function fakeFetch(
  respond: (init: RequestInit) => Response | Promise<Response> = () =>
    streamResponse(frame(delta("Hi")) + doneMarker),
) {
  const calls: FetchCall[] = [];
  const fetch = async (url: string | URL, init: RequestInit) => {
    calls.push({ url, init: { ...init, headers: new Headers(init.headers) } });
    return respond(init);
  };
  return { calls, fetch };
}

/** Answers each request with the next of these, and every further one with the last; an Error is thrown. */
export function inTurn(...answers: ((() => Response) | Error)[]): () => Response {
  let next = 0;
  return () => {
    const answer = answers[Math.min(next++, answers.length - 1)];
    if (typeof answer === "function") return answer();
    throw answer;
  };
}

/** A `fetch` that never answers, and fails as `fetch` does when its signal is aborted. */
export const hangingFetch = () =>
  fakeFetch(
    ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  );
