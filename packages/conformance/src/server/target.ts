/** The server under test: sends requests, and remembers them for the report. Judges no response. */

import { randomUUID } from "node:crypto";
import { CheckFailure, check, show } from "../check-failure.ts";
import { within } from "../waiting.ts";
import { AnswerStream } from "./answer-stream.ts";

export interface TargetOptions {
  url: string;
  /** Sent with every request, such as a cookie; never printed. */
  headers: Record<string, string>;
  /** The longest wait for anything that must happen, in milliseconds. */
  timeoutMs: number;
  /** @defaultValue the global `fetch` */
  fetch?: ((request: Request) => Promise<Response>) | undefined;
}

export interface RequestParts {
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** An object is sent as JSON. */
  body?: string | Uint8Array<ArrayBuffer> | object;
}

/** A response whose body has not been read. */
export interface Reply {
  status: number;
  headers: Headers;
  /** The body as text, shortened for a report. */
  excerpt(): Promise<string>;
  /** @throws CheckFailure if it is not JSON of this status. */
  json(status: number): Promise<Record<string, unknown>>;
  /** @throws CheckFailure if it is not a stream. */
  stream(): Promise<AnswerStream>;
}

/** The prompts that the agent of the server knows. */
export const prompts = {
  echo: (text: string): string => `conformance:echo ${text}`,
  fail: "conformance:fail",
  pause: "conformance:pause",
};

export const bodyOf = (prompt: string): { messages: object[] } => ({
  messages: [{ role: "user", content: prompt }],
});

const jsonType = { "content-type": "application/json" };

/** A client that reads event ids shows it with this header. */
const readsIds = { accept: "text/event-stream" };

/** No response came. */
export class Unreachable extends CheckFailure {}

/** An answer that waits, and what a stop of it names. */
interface OpenAnswer {
  query?: Record<string, string>;
}

export class Target {
  /** The requests so far, for the report. */
  readonly sent: string[] = [];
  readonly timeoutMs: number;
  readonly #options: TargetOptions;
  readonly #closing = new AbortController();
  readonly #open: OpenAnswer[] = [];

  constructor(options: TargetOptions) {
    this.#options = options;
    this.timeoutMs = options.timeoutMs;
  }

  async request(method: string, { query = {}, headers = {}, body }: RequestParts = {}): Promise<Reply> {
    const { url, headers: own, fetch = globalThis.fetch } = this.#options;
    const address = new URL(url);
    for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
    const isObject = typeof body === "object" && !(body instanceof Uint8Array);
    const bytes = isObject ? JSON.stringify(body) : body;
    this.sent.push(describeRequest(method, address, headers, bytes));
    const request = new Request(address, {
      method,
      headers: { ...own, ...(body === undefined ? {} : jsonType), ...headers },
      body: bytes ?? null,
      signal: this.#closing.signal,
    });
    const response = await within(this.timeoutMs, "a response", fetch(request)).catch((error: unknown) => {
      const isLate = error instanceof CheckFailure;
      throw new Unreachable(
        "a response",
        isLate ? `no response within ${this.timeoutMs / 1000} s` : describeError(error),
      );
    });
    // The signal of a request may be collected before its body has ended, and would then not close the connection.
    const { signal } = this.#closing;
    const closing = response.body?.pipeThrough(new TransformStream(), { signal }) ?? null;
    const from = response.redirected ? `redirected to ${response.url}, ` : "";
    return createReply(new Response(closing, response), this.timeoutMs, from);
  }

  /** Posts a prompt. */
  post(prompt: string, fields: object = {}, headers: Record<string, string> = readsIds): Promise<Reply> {
    return this.request("POST", { headers, body: { ...bodyOf(prompt), ...fields } });
  }

  /** The stream that answers a prompt. */
  async ask(prompt: string, fields?: object, headers?: Record<string, string>): Promise<AnswerStream> {
    return (await this.post(prompt, fields, headers)).stream();
  }

  /** Follows a run. */
  async get(query: Record<string, string>, lastEventId?: string): Promise<Reply> {
    const after: Record<string, string> = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    return this.request("GET", { query, headers: { ...readsIds, ...after } });
  }

  /** An answer that has begun and will not end by itself. */
  async pause(fields?: object): Promise<AnswerStream> {
    // By its key, the run can be stopped even if its response never comes.
    const body = { idempotencyKey: randomUUID(), ...fields };
    const open: OpenAnswer = { query: { key: body.idempotencyKey } };
    this.#open.push(open);
    const stream = await this.ask(prompts.pause, body);
    await stream.readUntil(({ chunk }) => chunk.type === "text-delta", "a text-delta before the pause");
    if (stream.runId === undefined) delete open.query;
    else open.query = { run: stream.runId };
    return stream;
  }

  /** Ends everything that the check has left open. */
  async close(): Promise<void> {
    for (const { query } of this.#open) {
      if (query !== undefined) await this.request("DELETE", { query }).catch(() => {});
    }
    this.#closing.abort();
  }
}

/** @param from - Where the response comes from, for a report, if a redirect led there. */
function createReply(response: Response, timeoutMs: number, from: string): Reply {
  const { status, headers } = response;
  const text = () =>
    within(timeoutMs, "the whole body", response.text()).catch((error: unknown) => {
      throw error instanceof CheckFailure ? error : new CheckFailure("the whole body", describeError(error));
    });
  const type = headers.get("content-type") ?? "none";
  const describe = (body: string) => `${from}status ${status}, ${type}, ${shorten(body)}`;
  const excerpt = async () => {
    // The body may be a stream that waits.
    const body = await within(Math.min(timeoutMs, 500), "a body", response.text()).catch(
      () => "a body without end",
    );
    return describe(body);
  };
  return {
    status,
    headers,
    excerpt,
    async json(expected) {
      const body = await text();
      const what = `status ${expected} with a JSON object`;
      const received = describe(body);
      check(status === expected && /^application\/json\s*(;|$)/i.test(type), what, received);
      const value = parseJson(body);
      check(typeof value === "object" && value !== null && !Array.isArray(value), what, received);
      return value as Record<string, unknown>;
    },
    async stream() {
      const isStream = status === 200 && /^text\/event-stream\s*(;|$)/i.test(type);
      if (!isStream) throw new CheckFailure("status 200, text/event-stream", await excerpt());
      return new AnswerStream(response.body, timeoutMs);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describeRequest(
  method: string,
  address: URL,
  headers: Record<string, string>,
  body: string | Uint8Array | undefined,
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const text = body instanceof Uint8Array ? `the bytes ${show([...body])}` : body;
  return [`${method} ${address}`, ...lines, ...(text === undefined ? [] : [shorten(text)])].join(" | ");
}

const describeError = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
};

/** In one line. */
function shorten(text: string): string {
  const start = text.length > 600 ? `${text.slice(0, 600)}…` : text;
  return /[\r\n]/.test(start) ? show(start) : start;
}
