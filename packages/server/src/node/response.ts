/**
 * Sends a web-standard response through `node:http`, `node:http2` or Fastify: its head, and its body at the client's
 * pace. Never throws or rejects.
 */
import { isUsedBodyError, usedBodyCode, usedBodyText } from "../route/used-body.ts";
import { bindContext } from "../stream/async-context.ts";
import { errorResponse } from "../stream/error-response.ts";
import { maskError } from "../stream/mask-error.ts";
import { onNextTurn } from "../stream/next-turn.ts";
import { maxTurnMs } from "../stream/stream-options.ts";
import { breakOff, type Exchange, hasEnded, isGone, type NodeResponse } from "./exchange.ts";
import { setReplyHead, toFields, writeHead } from "./response-head.ts";
import { ResponseWriter, whenClosed } from "./response-writer.ts";

/** The response to a failure, which is logged. */
export function failureResponse(error: unknown): Response {
  if (isUsedBodyError(error)) {
    console.error(`${error.message} The response was a 500 (${usedBodyCode}).`);
    return errorResponse({ status: 500, error: usedBodyText, code: usedBodyCode });
  }
  const { message, code = "internal", correlationId } = maskError(error);
  return errorResponse({ status: 500, error: message, code, correlationId });
}

/** @returns A promise that resolves when the response has ended or its socket has closed. */
export async function sendResponse(exchange: Exchange, response: Response): Promise<void> {
  const { res } = exchange;
  if (hasEnded(res) || isGone(res)) {
    discard(response);
    return;
  }
  const closed = whenClosed(res);
  try {
    await send(exchange, response);
  } catch (error) {
    discard(response);
    const failure = failureResponse(error);
    try {
      await send(exchange, failure);
    } catch {
      breakOff(res);
    }
  }
  return closed;
}

/** A handler may return anything. */
function discard(response: Partial<Response> | undefined): void {
  response?.body?.cancel?.().catch(() => {});
}

/** @throws an error for an invalid response; nothing has been sent then. */
async function send(exchange: Exchange, response: Response): Promise<void> {
  if (typeof response?.status !== "number") {
    throw new TypeError(
      `A handler must return a Response; got ${response === null ? "null" : typeof response}.`,
    );
  }
  const { status } = response;
  const headers = toFields(response.headers);
  const isWithoutBody = response.body === null || exchange.req.method === "HEAD";
  if (isWithoutBody) discard(response);
  const body = isWithoutBody ? undefined : response.body!;
  if (exchange.isSentByReply) {
    setReplyHead(exchange, status, headers);
    exchange.reply!.send(body);
    return;
  }
  // Before the head is written: a body that is locked or not a web stream throws.
  const reader = body?.getReader();
  writeHead(exchange, status, headers);
  if (reader === undefined) exchange.res.end();
  else await pipe(reader, exchange.res);
}

/** Writes a body at the client's pace. */
async function pipe(reader: ReadableStreamDefaultReader<Uint8Array>, res: NodeResponse): Promise<void> {
  let resume: () => void = () => {};
  let isClosed = false;
  // Has no effect on a fully read body.
  const cancel = bindContext(() => void reader.cancel().catch(() => {}));
  const writer = new ResponseWriter(res, {
    onDrain: () => resume(),
    onClose() {
      isClosed = true;
      cancel();
      resume();
    },
  });
  try {
    let turnedAt = performance.now();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || isClosed) break;
      // A third-party body may never wait, and the system may accept everything at once.
      if (performance.now() - turnedAt >= maxTurnMs) {
        await new Promise<void>((resolve) => onNextTurn(resolve));
        turnedAt = performance.now();
      }
      if (!writer.write(value) && !isClosed) {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
      }
    }
    writer.end();
  } catch {
    writer.breakOff();
  }
}
