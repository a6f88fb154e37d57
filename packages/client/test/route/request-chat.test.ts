import { Readable } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type RequestChatOptions, requestChat } from "../../src/route/request-chat.ts";
import { delta, fakeFetch, hangingFetch, macrotask, testBody } from "../stream/bodies.ts";

afterEach(() => void vi.useRealTimers());

const messages = [{ role: "user" as const, content: "Hello" }];
const result = {
  chunks: [delta("Hi"), { type: "done", finishReason: "stop" }],
  text: "Hi",
  structured: [],
};
const json = (value: unknown, init: ResponseInit = {}) =>
  new Response(typeof value === "string" ? value : JSON.stringify(value), {
    headers: { "content-type": "application/json" },
    ...init,
  });

/** Asks a route that gives this answer. */
const ask = (response: () => Response | Promise<Response>, options: Partial<RequestChatOptions> = {}) =>
  requestChat({ endpoint: "/api", messages, fetch: fakeFetch(response).fetch, ...options });

test("an answer of a server that does not say how its stream ended has the error that it ended on", async () => {
  const error = { type: "error", message: "Quota exceeded." };
  const failed = { ...result, chunks: [delta("Hi"), error, { type: "done" }] };
  expect(await ask(() => json(failed))).toEqual({ ...failed, error });
  const survived = { ...result, chunks: [error, delta("Hi"), { type: "done" }] };
  expect(await ask(() => json(survived))).toEqual(survived);
});

describe("the request", () => {
  test("is one POST for JSON that asks for no stream", async () => {
    const { calls, fetch } = fakeFetch(() => json(result));
    expect(await requestChat({ endpoint: "/api", messages, fetch })).toEqual(result);
    expect(calls).toHaveLength(1);
    const { url, init } = calls[0]!;
    expect(url).toBe("/api");
    expect(init).toMatchObject({ method: "POST", cache: "no-store" });
    expect(Object.fromEntries(init.headers)).toEqual({
      accept: "application/json",
      "content-type": "application/json",
    });
    expect(JSON.parse(init.body as string)).toEqual({ messages, stream: false });
  });

  test("carries session, workflow, context, key and answer, and neither how it is sent nor what is undefined", async () => {
    const { calls, fetch } = fakeFetch(() => json(result));
    const chat = {
      sessionId: "s",
      workflowId: "w",
      context: { a: 1 },
      idempotencyKey: "k",
      resume: { requestId: "r", resumeToken: "t", answer: ["a", "b"] },
    };
    const { signal } = new AbortController();
    await requestChat({
      endpoint: () => "/x",
      headers: async () => ({ authorization: "t" }),
      credentials: "include",
      signal,
      fetch,
      messages,
      ...chat,
    });
    await requestChat({ endpoint: "/", fetch, messages, sessionId: undefined });
    expect(calls.map(({ init }) => JSON.parse(init.body as string))).toEqual([
      { messages, ...chat, stream: false },
      { messages, stream: false },
    ]);
    expect(calls[0]?.init).toMatchObject({ credentials: "include" });
    expect(calls[0]?.init.headers.get("authorization")).toBe("t");
  });

  test("is waited for as long as the route takes", async () => {
    vi.useFakeTimers();
    let answer: (response: Response) => void = () => {};
    const asked = ask(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    answer(json(result));
    expect(await asked).toEqual(result);
  });

  test("is made once, however it fails", async () => {
    for (const response of [json("", { status: 503 }), json("")]) {
      const { calls, fetch } = fakeFetch(() => response);
      await requestChat({ endpoint: "/", messages, fetch }).catch(() => {});
      expect(calls).toHaveLength(1);
    }
  });
});

describe("an answer", () => {
  test("that ended on an error chunk, or holds chunks of a newer version, is a result", async () => {
    const error = { type: "error", message: "Busy." };
    for (const answer of [
      { ...result, chunks: [error], error },
      { chunks: [{ type: "x-new" }], text: "", structured: [], more: 1 },
      { chunks: [], text: "", structured: [] },
    ]) {
      expect(await ask(() => json(answer))).toEqual(answer);
    }
  });

  test("of a failed agent is an error with the partial result", async () => {
    const partial = { ...result, error: { type: "error", message: "Internal error." } };
    await expect(ask(() => json(partial, { status: 500 }))).rejects.toMatchObject({
      name: "StreamHttpError",
      code: "http-status",
      status: 500,
      body: partial,
    });
  });

  test("that is no JSON is an error with the cause", async () => {
    for (const text of ["{half", ""]) {
      await expect(ask(() => json(text))).rejects.toMatchObject({
        name: "StreamProtocolError",
        code: "invalid-json",
        message: "The response is not JSON.",
        cause: { name: "SyntaxError" },
      });
    }
    await expect(ask(() => new Response(null, { status: 204 }))).rejects.toMatchObject({
      code: "invalid-json",
    });
  });

  test("that is no result is an error that says what was expected", async () => {
    for (const answer of [
      "null",
      "7",
      [],
      {},
      { ...result, chunks: {} },
      { ...result, chunks: undefined },
      { ...result, text: 1 },
      { ...result, structured: "" },
    ]) {
      await expect(ask(() => json(answer))).rejects.toMatchObject({
        name: "StreamProtocolError",
        code: "invalid-chunk",
        message:
          "The response is not a buffered result: expected { chunks: [], text: string, structured: [] }.",
      });
    }
  });

  test("with a chunk that is none is an error that names its place", async () => {
    for (const chunk of [null, {}, { type: 7 }, { type: "text-delta" }]) {
      await expect(ask(() => json({ ...result, chunks: [delta("a"), chunk] }))).rejects.toMatchObject({
        name: "StreamProtocolError",
        code: "invalid-chunk",
        message: expect.stringMatching(/^chunks\.1: ./),
      });
    }
  });

  test("of another type is an error that names it", async () => {
    await expect(
      ask(() => new Response("data: x", { headers: { "content-type": "text/event-stream" } })),
    ).rejects.toMatchObject({
      name: "StreamContentTypeError",
      message: "Expected application/json, got text/event-stream.",
    });
  });

  test("that does not come is an error with the cause", async () => {
    const cause = new TypeError("fetch failed");
    await expect(ask(() => Promise.reject(cause))).rejects.toMatchObject({
      name: "StreamConnectionError",
      message: expect.stringMatching(
        /^No response from \/api: TypeError: fetch failed\. Nothing listens there, /,
      ),
      cause,
    });
  });

  test("is read from what the response has: a stream alone, as adapters make it, or text() alone", async () => {
    const answer = JSON.stringify({ ...result, text: "Grüße, 世界" });
    const bytes = new TextEncoder().encode(answer);
    /** Cut in the middle of characters. */
    const pieces = () => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    for (const read of [
      { body: testBody(pieces()).stream },
      { body: Readable.from(pieces()) },
      { body: Readable.from([answer]) },
      { text: async () => answer },
      { arrayBuffer: async () => bytes.buffer },
    ]) {
      const headers = new Headers({ "content-type": "application/json" });
      const adapted = { ok: true, status: 200, headers, ...read } as unknown as Response;
      expect(await ask(() => adapted)).toMatchObject({ text: "Grüße, 世界" });
    }
  });

  test("whose body breaks off is truncated", async () => {
    const reset = new TypeError("terminated");
    const body = testBody(['{"chunks":'], { stays: true });
    const asked = ask(() => new Response(body.stream, { headers: { "content-type": "application/json" } }));
    asked.catch(() => {});
    await macrotask();
    body.fail(reset);
    await expect(asked).rejects.toMatchObject({ name: "StreamTruncatedError", cause: reset });
  });
});

describe("an abort", () => {
  const reason = { why: "the user pressed Stop" };

  test("before the request rejects with the reason and makes none", async () => {
    const { calls, fetch } = fakeFetch(() => json(result));
    const asked = requestChat({ endpoint: "/", messages, fetch, signal: AbortSignal.abort(reason) });
    await expect(asked).rejects.toBe(reason);
    expect(calls).toHaveLength(0);
  });

  test("before the headers aborts the request and rejects with the reason", async () => {
    const { calls, fetch } = hangingFetch();
    const abort = new AbortController();
    const asked = requestChat({ endpoint: "/", messages, fetch, signal: abort.signal });
    asked.catch(() => {});
    await macrotask();
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    expect(calls[0]?.init.signal?.reason).toBe(reason);
  });

  test("does not wait for the body of an error that hangs", async () => {
    const body = testBody(["part"], { stays: true });
    const abort = new AbortController();
    const asked = ask(() => new Response(body.stream, { status: 500 }), { signal: abort.signal });
    asked.catch(() => {});
    await macrotask();
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    expect(body.cancelled).toBeDefined();
  });

  for (const status of [200, 500]) {
    test(`while the body of a ${status} is read rejects with the reason, not with what it did to the body`, async () => {
      const body = testBody(['{"chunks":'], { stays: true });
      const abort = new AbortController();
      abort.signal.addEventListener("abort", () => body.fail(new DOMException("aborted", "AbortError")));
      const asked = ask(
        () => new Response(body.stream, { status, headers: { "content-type": "application/json" } }),
        { signal: abort.signal },
      );
      asked.catch(() => {});
      await macrotask();
      abort.abort(reason);
      await expect(asked).rejects.toBe(reason);
    });
  }
});

test("options that are shared with a stream are not sent", async () => {
  const { calls, fetch } = fakeFetch(() => json(result));
  await requestChat({
    endpoint: "/",
    messages: [],
    fetch,
    ...{ runs: true, giveUpAfterMs: 1000, onUnknownChunk() {} },
  });
  expect(calls[0]?.init.body).toBe('{"messages":[],"stream":false}');
});
