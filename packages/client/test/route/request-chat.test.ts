import { Readable } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type RequestChatOptions, requestChat } from "../../src/route/request-chat.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import { delta, macrotask, never, testBody } from "../stream/bodies.ts";

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

/** Requests a chat from a route with this response. */
const requestFrom = (
  response: () => Response | Promise<Response>,
  options: Partial<RequestChatOptions> = {},
) => requestChat({ endpoint: "/api", messages, fetch: createScriptedFetch(response).fetch, ...options });

test("the last error chunk becomes the error of a result whose server does not report how its stream ended", async () => {
  const error = { type: "error", message: "Quota exceeded." };
  const failed = { ...result, chunks: [delta("Hi"), error, { type: "done" }] };
  expect(await requestFrom(() => json(failed))).toEqual({ ...failed, error });
  const survived = { ...result, chunks: [error, delta("Hi"), { type: "done" }] };
  expect(await requestFrom(() => json(survived))).toEqual(survived);
});

test("no URL that a page could run is in a result", async () => {
  const source = { type: "source", id: "1" };
  const chunks = [{ ...source, url: "javascript:alert(1)" }, { type: "done" }];
  expect(await requestFrom(() => json({ ...result, chunks }))).toEqual({
    ...result,
    chunks: [source, { type: "done" }],
  });
});

describe("the request", () => {
  test("is one POST that accepts JSON and asks for no stream", async () => {
    const { calls, fetch } = createScriptedFetch(() => json(result));
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

  test("carries session, workflow, context, key and resume, but no transport options and nothing undefined", async () => {
    const { calls, fetch } = createScriptedFetch(() => json(result));
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

  test("has no timeout", async () => {
    vi.useFakeTimers();
    let answer: (response: Response) => void = () => {};
    const pending = requestFrom(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    answer(json(result));
    expect(await pending).toEqual(result);
  });

  test("is made once, even if it fails", async () => {
    for (const response of [json("", { status: 503 }), json("")]) {
      const { calls, fetch } = createScriptedFetch(() => response);
      await requestChat({ endpoint: "/", messages, fetch }).catch(() => {});
      expect(calls).toHaveLength(1);
    }
  });
});

describe("a response", () => {
  test("whose stream ended with an error chunk, or with chunks of a newer version, is a result", async () => {
    const error = { type: "error", message: "Busy." };
    for (const answer of [
      { ...result, chunks: [error], error },
      { chunks: [{ type: "x-new" }], text: "", structured: [], more: 1 },
      { chunks: [], text: "", structured: [] },
    ]) {
      expect(await requestFrom(() => json(answer))).toEqual(answer);
    }
  });

  test("of a failed agent is an error with the partial result", async () => {
    const partial = { ...result, error: { type: "error", message: "Internal error." } };
    await expect(requestFrom(() => json(partial, { status: 500 }))).rejects.toMatchObject({
      name: "StreamHttpError",
      code: "http-status",
      status: 500,
      body: partial,
    });
  });

  test("that is not JSON is an error with the cause", async () => {
    for (const text of ["{half", ""]) {
      await expect(requestFrom(() => json(text))).rejects.toMatchObject({
        name: "StreamProtocolError",
        code: "invalid-json",
        message: "The response is not JSON.",
        cause: { name: "SyntaxError" },
      });
    }
    await expect(requestFrom(() => new Response(null, { status: 204 }))).rejects.toMatchObject({
      code: "invalid-json",
    });
  });

  test("that is not a result is an error that names the expected shape", async () => {
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
      await expect(requestFrom(() => json(answer))).rejects.toMatchObject({
        name: "StreamProtocolError",
        code: "invalid-chunk",
        message:
          "The response is not a buffered result: expected { chunks: [], text: string, structured: [] }.",
      });
    }
  });

  test("with an invalid chunk is an error that gives the index of the chunk", async () => {
    for (const chunk of [null, {}, { type: 7 }, { type: "text-delta" }]) {
      await expect(requestFrom(() => json({ ...result, chunks: [delta("a"), chunk] }))).rejects.toMatchObject(
        {
          name: "StreamProtocolError",
          code: "invalid-chunk",
          message: expect.stringMatching(/^chunks\.1: ./),
        },
      );
    }
  });

  test("of another type is an error that names the type", async () => {
    await expect(
      requestFrom(() => new Response("data: x", { headers: { "content-type": "text/event-stream" } })),
    ).rejects.toMatchObject({
      name: "StreamContentTypeError",
      message: "Expected application/json, got text/event-stream.",
    });
  });

  test("that never arrives is an error with the cause", async () => {
    const cause = new TypeError("fetch failed");
    await expect(requestFrom(() => Promise.reject(cause))).rejects.toMatchObject({
      name: "StreamConnectionError",
      message: expect.stringMatching(
        /^No response from \/api: TypeError: fetch failed\. Nothing listens there, /,
      ),
      cause,
    });
  });

  test("is read through the members it has: only a stream, as from adapters, or only text()", async () => {
    const answer = JSON.stringify({ ...result, text: "Grüße, 世界" });
    const bytes = new TextEncoder().encode(answer);
    /** Split inside characters. */
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
      expect(await requestFrom(() => adapted)).toMatchObject({ text: "Grüße, 世界" });
    }
  });

  test("whose body breaks off is truncated", async () => {
    const reset = new TypeError("terminated");
    const body = testBody(['{"chunks":'], { stays: true });
    const pending = requestFrom(
      () => new Response(body.stream, { headers: { "content-type": "application/json" } }),
    );
    pending.catch(() => {});
    await macrotask();
    body.fail(reset);
    await expect(pending).rejects.toMatchObject({ name: "StreamTruncatedError", cause: reset });
  });
});

describe("an abort", () => {
  const reason = { why: "the user pressed Stop" };

  test("before the request rejects with the reason and makes no request", async () => {
    const { calls, fetch } = createScriptedFetch(() => json(result));
    const pending = requestChat({ endpoint: "/", messages, fetch, signal: AbortSignal.abort(reason) });
    await expect(pending).rejects.toBe(reason);
    expect(calls).toHaveLength(0);
  });

  test("before the headers aborts the request and rejects with the reason", async () => {
    const { calls, fetch } = createScriptedFetch(never);
    const abort = new AbortController();
    const pending = requestChat({ endpoint: "/", messages, fetch, signal: abort.signal });
    pending.catch(() => {});
    await macrotask();
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(calls[0]?.init.signal?.reason).toBe(reason);
  });

  test("does not wait for an error body that hangs", async () => {
    const body = testBody(["part"], { stays: true });
    const abort = new AbortController();
    const pending = requestFrom(() => new Response(body.stream, { status: 500 }), { signal: abort.signal });
    pending.catch(() => {});
    await macrotask();
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(body.cancelled).toBeDefined();
  });

  for (const status of [200, 500]) {
    test(`while the body of a ${status} is read rejects with the reason, not with the resulting error of the body`, async () => {
      const body = testBody(['{"chunks":'], { stays: true });
      const abort = new AbortController();
      abort.signal.addEventListener("abort", () => body.fail(new DOMException("aborted", "AbortError")));
      const pending = requestFrom(
        () => new Response(body.stream, { status, headers: { "content-type": "application/json" } }),
        { signal: abort.signal },
      );
      pending.catch(() => {});
      await macrotask();
      abort.abort(reason);
      await expect(pending).rejects.toBe(reason);
    });
  }
});

test("options that only a stream uses are not sent", async () => {
  const { calls, fetch } = createScriptedFetch(() => json(result));
  await requestChat({
    endpoint: "/",
    messages: [],
    fetch,
    ...{ runs: true, giveUpAfterMs: 1000, onUnknownChunk() {} },
  });
  expect(calls[0]?.init.body).toBe('{"messages":[],"stream":false}');
});
