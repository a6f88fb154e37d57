/**
 * One request to a model, and its answer as it comes: HTTP, Server-Sent Events and time. Does not know what the model is
 * asked, and keeps nothing of what it says.
 */
import { EventSourceParserStream, ParseError } from "eventsource-parser/stream";
import { type CompletionPiece, parseCompletionPiece } from "./completion-piece.ts";
import type { ModelEndpoint } from "./model-endpoint.ts";
import { codeOfStatus, ModelError, type ModelErrorCode } from "./model-error.ts";

export interface StreamCompletionOptions {
  endpoint: ModelEndpoint;
  /** The request without `model` and what makes it a stream. */
  request: object;
  signal?: AbortSignal | undefined;
  /** How long the endpoint may say nothing, in milliseconds. */
  idleTimeoutMs: number;
}

/** What comes behind the end of the answer (the usage) comes at once. */
const graceMs = 2000;
/** More than any piece of an answer holds, in characters. */
const maxEventLength = 1024 * 1024;
/** How much of a refusal is logged, in characters. */
const maxRefusalLength = 500;

/**
 * Asks the model, and yields its answer until it is whole. Leaving the loop ends the request.
 *
 * @throws ModelError for everything that goes wrong, a cut answer included.
 * @throws The signal's reason when it is aborted; the request is ended at once.
 */
export async function* streamCompletion(options: StreamCompletionOptions): AsyncGenerator<CompletionPiece> {
  const { endpoint, request, signal, idleTimeoutMs } = options;
  const upstream = new AbortController();
  let failure: ModelErrorCode = "model-unreachable";
  /** The model has said why it stopped: whatever happens to the connection now, the answer is whole. */
  let isFinished = false;

  /** Waits for the endpoint, and only while somebody waits for its answer: a slow reader is not its fault. */
  async function wait<Value>(work: Promise<Value>): Promise<Value> {
    const timeoutMs = isFinished ? Math.min(graceMs, idleTimeoutMs) : idleTimeoutMs;
    const timer = setTimeout(() => {
      upstream.abort(new ModelError("model-timeout", `The endpoint said nothing for ${timeoutMs} ms.`));
    }, timeoutMs);
    return work.finally(() => clearTimeout(timer));
  }

  try {
    const signals = signal === undefined ? [upstream.signal] : [signal, upstream.signal];
    const response = await wait(post(endpoint, request, AbortSignal.any(signals)));
    failure = "model-cut";
    await wait(checkResponse(response));
    const events = response
      .body!.pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream({ maxBufferSize: maxEventLength }))
      .getReader();
    for (;;) {
      const { done, value } = await wait(events.read());
      if (done) break;
      if (value.data === "[DONE]") return;
      const piece = parseCompletionPiece(value.data);
      isFinished ||= piece.finishReason !== undefined;
      yield piece;
    }
    if (!isFinished)
      throw new ModelError("model-cut", "The answer ended without a finish_reason and [DONE].");
  } catch (error) {
    signal?.throwIfAborted();
    if (isFinished) return;
    if (upstream.signal.aborted) throw upstream.signal.reason;
    if (error instanceof ModelError) throw error;
    throw new ModelError(error instanceof ParseError ? "model-bad-answer" : failure, describeCause(error));
  } finally {
    upstream.abort();
  }
}

function post({ baseUrl, apiKey, model }: ModelEndpoint, request: object, signal: AbortSignal) {
  return fetch(`${baseUrl}/chat/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${apiKey}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
    body: JSON.stringify({ ...request, model, stream: true, stream_options: { include_usage: true } }),
    // The key is for this address, not for wherever it leads.
    redirect: "manual",
    signal,
  });
}

/** @throws ModelError when the response is no stream. */
async function checkResponse(response: Response): Promise<void> {
  const { ok, status, headers } = response;
  const contentType = headers.get("content-type") ?? "no content type";
  if (ok && contentType.startsWith("text/event-stream")) return;
  const code = ok ? "model-bad-answer" : codeOfStatus(status);
  throw new ModelError(code, `Status ${status}, ${contentType}: ${await readBeginning(response)}`);
}

async function readBeginning(response: Response): Promise<string> {
  let text = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    if (text.length >= maxRefusalLength) break;
  }
  return text.slice(0, maxRefusalLength);
}

/** `fetch` says "fetch failed", and why in the cause. */
function describeCause(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return [String(error), cause?.code, cause?.message].filter(Boolean).join(" · ");
}
