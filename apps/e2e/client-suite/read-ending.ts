/**
 * Reads one row of the table of endings: makes its requests, reads the stream in its way, and compares the result.
 * Holds no rows.
 */
import type { Chat, ChatMessage, StreamChunk, StreamFromRouteOptions } from "@kortyx/client";
import { type Answer, answerUrl, type SeenRequest } from "./answer.ts";
import { assert, assertEqual, newId, pollServer, type SuiteCase, type SuiteContext } from "./suite-case.ts";

/** How a stream ended, as one value. */
interface EndingResult {
  /** The outcome that `consumeStream` resolved to; `end` for a loop that ended. */
  outcome?: "done" | "abort" | "error" | "end";
  /**
   * The error that was thrown, or passed to `onError`: its `name`, its `code`, and the other fields that the row names.
   */
  name?: string;
  code?: string;
  status?: number;
  body?: unknown;
  retryAfterMs?: number | null;
  contentType?: string;
  text?: string;
  /** The thrown value is this one: the reason of the caller's signal. */
  reason?: string;
}

export interface EndingRow {
  name: string;
  where?: "page";
  /** The responses to the requests, in order; the last one repeats. */
  answers: Answer | Answer[];
  /** Requested instead of the suite server's own origin. */
  at?: "crossOrigin" | "refused";
  options?: Pick<
    StreamFromRouteOptions,
    "method" | "runs" | "giveUpAfterMs" | "connectTimeoutMs" | "idleTimeoutMs" | "maxEventBytes"
  >;
  /**
   * `consume`: `streamFromRoute` with `consumeStream`. `loop`: with a loop. `response`: `readStream` of a response of
   * `fetch`; `read response`: of one whose body was already read.
   * `nothing`: `readStream` of `null`. `buffered`: `requestChat`. `send`: a chat of `createChat`, whose state
   * holds the error. The others: the actions that a chat refuses.
   *
   * @defaultValue "consume"
   */
  read?:
    | "consume"
    | "loop"
    | "response"
    | "read response"
    | "nothing"
    | "buffered"
    | "send"
    | keyof typeof refusedActions;
  /** The moment at which the caller aborts. */
  aborts?:
    | "before the request"
    | "when the request arrives"
    | "at the first chunk"
    | "while waiting to reconnect";
  /** The chunks that the consumer received before the end. */
  chunks: StreamChunk[];
  /** The chunks passed to `onUnknownChunk`. */
  unknown?: unknown[];
  ends: EndingResult;
  /** The number of requests. @defaultValue the number of answers */
  requests?: number;
}

const messages: ChatMessage[] = [{ role: "user", content: "Hello" }];

/** Actions that a chat refuses: the first while it is busy, the others in a new chat. */
const refusedActions = {
  "second send": (chat: Chat) => chat.send("Hello?"),
  "empty send": (chat: Chat) => chat.send(""),
  "event send": (chat: Chat) => chat.send({ type: "click" } as never),
  regenerate: (chat: Chat) => chat.regenerate(),
  respond: (chat: Chat) => chat.respond({ requestId: "r" }, "yes"),
};

export const toCase = (row: EndingRow): SuiteCase => ({
  name: row.name,
  ...(row.where === undefined ? {} : { where: row.where }),
  async run(context) {
    const { chunks, unknown, errors, ends, thrown, requests } = await readEnding(row, context);
    const { isStreamError, ...classes } = context.client;
    const named = Object.keys(row.ends) as (keyof EndingResult)[];
    assertEqual(
      { chunks, unknown, ends: Object.fromEntries(named.map((key) => [key, ends[key]])), requests },
      {
        chunks: row.chunks,
        unknown: row.unknown ?? [],
        ends: row.ends,
        requests: row.requests ?? [row.answers].flat().length,
      },
      "chunks, ending and requests",
    );
    assertEqual(ends.outcome, row.ends.outcome, "the outcome");
    const read = row.read ?? "consume";
    if (row.ends.name !== undefined) {
      const error = thrown ?? errors[0];
      const Class = classes[row.ends.name as "StreamError"];
      assert(isStreamError(error) && error instanceof Class, `the error is a ${row.ends.name}`);
      assert(read !== "consume" || (errors.length === 1 && errors[0] === error), "onError received it once");
    } else {
      assert(errors.length === 0, "onError was not called");
    }
  },
});

/** The complete result of a row. */
interface Reading {
  chunks: StreamChunk[];
  unknown: unknown[];
  errors: unknown[];
  ends: EndingResult;
  thrown?: unknown;
  requests: number;
}

async function readEnding(row: EndingRow, context: SuiteContext): Promise<Reading> {
  const { consumeStream, createChat, readStream, requestChat, streamFromRoute } = context.client;
  const { aborts, at, options, read = "consume" } = row;
  const id = newId();
  const answers = [row.answers].flat();
  const reading: Reading = { chunks: [], unknown: [], errors: [], ends: {}, requests: 0 };
  const abort = new AbortController();
  const stop = () => abort.abort("stopped");
  const reports: Promise<unknown>[] = [];

  const endpoint = () => {
    const answer = answers[Math.min(reading.requests++, answers.length - 1)] ?? {};
    return answerUrl(at === undefined ? context.baseUrl : context[`${at}Url`], id, answer);
  };
  const keepChunk = (chunk: StreamChunk) => {
    reading.chunks.push(chunk);
    if (answers.some(({ endsAfterChunks = 0 }) => endsAfterChunks > 0)) {
      reports.push(fetch(`${context.baseUrl}/progress?case=${id}&chunks=${reading.chunks.length}`));
    }
    if (aborts === "at the first chunk") stop();
  };
  const onUnknownChunk = (chunk: unknown) => void reading.unknown.push(chunk);
  const open = () =>
    streamFromRoute({
      endpoint,
      body: { messages },
      signal: abort.signal,
      onUnknownChunk,
      onConnectionChange: ({ state }) => {
        if (aborts === "while waiting to reconnect" && state === "reconnecting") stop();
      },
      ...options,
    });

  if (aborts === "before the request") stop();
  if (aborts === "when the request arrives") {
    const hasArrived = (requests: SeenRequest[]) => requests.length > 0;
    reports.push(pollServer(context, ["/requests", id], hasArrived, "the request has arrived").then(stop));
  }
  try {
    if (read === "consume") {
      const onError = (error: Error) => void reading.errors.push(error);
      const { outcome } = await consumeStream(open(), { onChunk: keepChunk, onError });
      reading.ends = { ...describe(reading.errors[0]), outcome: outcome as "done" };
    } else if (read === "buffered") {
      const result = await requestChat({ endpoint, messages, signal: abort.signal });
      reading.chunks.push(...result.chunks);
      reading.ends = { outcome: "end", text: result.text };
    } else if (read === "send") {
      const chat = createChat({ endpoint, onChunk: keepChunk });
      await chat.send("Hello");
      throw chat.getSnapshot().error;
    } else if (read in refusedActions) {
      const chat = createChat({ endpoint });
      const first = read === "second send" ? chat.send("Hello") : undefined;
      try {
        await refusedActions[read as keyof typeof refusedActions](chat);
      } finally {
        chat.close();
        await first;
      }
    } else {
      const response = read === "loop" || read === "nothing" ? null : await fetch(endpoint());
      if (read === "read response") await response?.text();
      const body = read === "loop" ? open() : readStream(response);
      for await (const chunk of body) keepChunk(chunk);
      reading.ends = { outcome: "end" };
    }
  } catch (error) {
    reading.thrown = error;
    reading.ends = error === abort.signal.reason ? { reason: error as string } : describe(error);
  }
  await Promise.all(reports);
  return reading;
}

/** The fields of an error that a row may name. */
function describe(error: unknown): EndingResult {
  if (!(error instanceof Error)) return {};
  const { name, code, status, body, retryAfterMs = null, contentType } = error as Error & EndingResult;
  return { name, code, status, body, retryAfterMs, contentType } as EndingResult;
}
