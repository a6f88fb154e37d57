/** A `fetch` whose answers a test writes as lists. Reads no clock: its waits are timers, which a test may mock. */
import {
  DONE_FRAME,
  encodeChunk,
  formatEventId,
  isTerminalChunk,
  parseEventId,
  type StreamChunk,
} from "@kortyx/protocol";

/**
 * One step of a streamed response: a chunk, text or bytes that are sent as they are, a number of milliseconds or a
 * promise to wait for, or an error with which the connection breaks.
 */
export type ResponseStep = StreamChunk | string | Uint8Array | number | PromiseLike<unknown> | Error;

/**
 * The answer to one request.
 *
 * - A list is a stream with these steps. `[DONE]` follows a last chunk that ends an answer (`done`, `abort`, `error`); after
 *   anything else, the connection just ends, as if it were cut. From a `run-start` on, chunks have the ids of a run, with
 *   which the client resumes; the chunks of the answer to a resume continue them.
 * - An `Error` is a request that fails, as without a network.
 * - A function returns a list or any response to the request, whose relative URL begins with `http://localhost`. A route
 *   in the same process is one: `route.fetch`.
 */
export type FetchAnswer =
  | ResponseStep[]
  | Error
  | ((request: Request) => ResponseStep[] | Response | Promise<ResponseStep[] | Response>);

/** A request that a scripted `fetch` received. */
export interface ScriptedRequest {
  /** As it was passed, or that of the `Request`. */
  url: string | URL;
  /** As it was passed, but for the headers, or what the `Request` has. */
  init: RequestInit & {
    /** Found by their names in any case. */
    headers: Headers;
  };
}

/** What {@link createScriptedFetch} returns. */
export interface ScriptedFetch {
  /**
   * For the `fetch` option of `createChat` and of every other function that makes requests, and in place of the global
   * `fetch`.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** The requests so far, the oldest first. */
  readonly calls: ScriptedRequest[];
}

/**
 * Creates a `fetch` that answers the first request with the first answer, the second with the second, and every later
 * one with the last. It records its requests.
 *
 * As with the real `fetch`, an aborted signal rejects a request that has no response yet, and breaks a stream. Waits in
 * milliseconds use `setTimeout`, so fake timers move them.
 *
 * @throws TypeError without an answer.
 *
 * @example
 * ```ts
 * const { fetch, calls } = createScriptedFetch([{ type: "text-delta", delta: "Hi" }, { type: "done" }]);
 * const chat = createChat({ endpoint: "/api/chat", fetch });
 * await chat.send("Hello");
 * calls.length; // 1
 * chat.getSnapshot().status; // "ready"
 * ```
 */
export function createScriptedFetch(...answers: FetchAnswer[]): ScriptedFetch {
  if (answers.length === 0) throw new TypeError("createScriptedFetch() needs at least one answer.");
  const calls: ScriptedRequest[] = [];
  const fetch = (input: string | URL | Request, given: RequestInit = {}): Promise<Response> => {
    const [url, init] = input instanceof Request ? readRequest(new Request(input, given)) : [input, given];
    const signal = init.signal ?? undefined;
    const count = calls.push({ url, init: { ...init, headers: new Headers(init.headers) } });
    if (signal?.aborted) return Promise.reject(signal.reason);
    return unlessAborted(respond(answers[Math.min(count, answers.length) - 1]!, url, init), signal);
  };
  return { fetch, calls };
}

/** A request as the arguments of a `fetch`. */
function readRequest({ url, method, headers, body, signal }: Request): [url: string, init: RequestInit] {
  const init = { method, headers, body, signal, duplex: "half" };
  return [url, init];
}

async function respond(answer: FetchAnswer, url: string | URL, init: RequestInit): Promise<Response> {
  if (answer instanceof Error) throw answer;
  const response =
    typeof answer === "function" ? await answer(new Request(new URL(url, "http://localhost"), init)) : answer;
  if (!Array.isArray(response)) return response;
  return new Response(streamOf(response, init), { headers: { "content-type": "text/event-stream" } });
}

function streamOf(steps: ResponseStep[], init: RequestInit): ReadableStream<Uint8Array> {
  const signal = init.signal ?? undefined;
  const left = new AbortController();
  const leave = (reason?: unknown) => {
    signal?.removeEventListener("abort", abort);
    left.abort(reason);
  };
  const abort = () => leave(signal?.reason);
  signal?.addEventListener("abort", abort);
  const lastEventId = new Headers(init.headers).get("last-event-id") ?? "";
  const bytes = bytesOf(steps, left.signal, lastEventId);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await bytes.next().catch((error) => {
          leave();
          throw error;
        });
        if (!next.done) return controller.enqueue(next.value);
        leave();
        controller.close();
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}

async function* bytesOf(
  steps: ResponseStep[],
  left: AbortSignal,
  lastEventId: string,
): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  let last = parseEventId(lastEventId);
  const encode = (chunk: StreamChunk): string => {
    if (chunk.type === "run-start") last = { runId: chunk.runId, seq: -1 };
    if (last === undefined) return encodeChunk(chunk);
    last.seq++;
    return encodeChunk(chunk, { id: formatEventId(last.runId, last.seq) });
  };
  for (const step of steps) {
    left.throwIfAborted();
    if (step instanceof Error) throw step;
    if (typeof step === "number") await wait(step, left);
    else if (typeof step === "string") yield encoder.encode(step);
    else if (step instanceof Uint8Array) yield step;
    else if ("then" in step) await unlessAborted(step, left);
    else yield encoder.encode(encode(step));
  }
  const end = steps.at(-1);
  if (isChunk(end) && (isTerminalChunk(end) || end.type === "error")) yield encoder.encode(DONE_FRAME);
}

const isChunk = (step: ResponseStep | undefined): step is StreamChunk =>
  typeof step === "object" && "type" in step;

async function wait(ms: number, left: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await unlessAborted(new Promise((resolve) => (timer = setTimeout(resolve, ms))), left);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise, which rejects with the signal's reason when the signal is aborted first. */
function unlessAborted<Value>(promise: PromiseLike<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return Promise.resolve(promise);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).then(() => signal.removeEventListener("abort", abort));
  });
}
