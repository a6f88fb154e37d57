import { mock } from "node:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import { streamFromRoute } from "../../src/route/stream-from-route.ts";
import { readStream } from "../../src/stream/read-stream.ts";
import { createScriptedFetch, type ResponseStep } from "../../src/testing/scripted-fetch.ts";
import { bytesOf, collect, delta, doneMarker, frame, macrotask, never } from "../stream/bodies.ts";

afterEach(() => void vi.useRealTimers());

const done = { type: "done" } as const;
const answerOf = (...steps: ResponseStep[]) => createScriptedFetch(steps).fetch("/", {});
const readAnswer = async (...steps: ResponseStep[]) => collect(readStream(await answerOf(...steps)));

test("each request gets the next answer, and every later one the last", async () => {
  const { fetch } = createScriptedFetch(["a"], ["b"]);
  const ask = async () => (await fetch("/")).text();
  expect([await ask(), await ask(), await ask()]).toEqual(["a", "b", "b"]);
});

test("a fetch without an answer is refused", () => {
  expect(() => createScriptedFetch()).toThrow(
    new TypeError("createScriptedFetch() needs at least one answer."),
  );
});

test("the requests are recorded as they were made, their headers readable by any name", async () => {
  const { fetch, calls } = createScriptedFetch([done]);
  await collect(streamFromRoute({ endpoint: "/api", body: { a: 1 }, headers: { "X-A": "1" }, fetch }));
  expect(calls).toMatchObject([{ url: "/api", init: { method: "POST", body: '{"a":1}' } }]);
  expect(calls[0]!.init.headers.get("x-a")).toBe("1");
});

test("a function gets the request at localhost, so a route in the same process is one", async () => {
  const { fetch } = createScriptedFetch(async (request) =>
    Response.json([request.method, request.url, await request.json(), request.headers.get("x-a")], {
      status: 202,
    }),
  );
  const response = await fetch("/api?b=1", { method: "POST", body: '{"a":1}', headers: { "x-a": "1" } });
  expect(response.status).toBe(202);
  expect(await response.json()).toEqual(["POST", "http://localhost/api?b=1", { a: 1 }, "1"]);
  const elsewhere = createScriptedFetch((request) => new Response(request.url));
  expect(await (await elsewhere.fetch("https://host/a", {})).text()).toBe("https://host/a");
});

test("it takes the arguments of the global fetch, also a request", async () => {
  const { fetch, calls } = createScriptedFetch(async (request) =>
    Response.json([request.method, request.url, await request.text(), request.headers.get("x-a")]),
  );
  const request = new Request("https://host/a", { method: "POST", body: "Hi", headers: { "x-a": "1" } });
  const replacement: typeof globalThis.fetch = fetch;
  expect(await (await replacement(request)).json()).toEqual(["POST", "https://host/a", "Hi", "1"]);
  expect(calls).toMatchObject([{ url: "https://host/a", init: { method: "POST" } }]);
  const leave = new AbortController();
  const left = createScriptedFetch([never()]).fetch(new Request("https://host/"), { signal: leave.signal });
  leave.abort(new Error("left"));
  await expect(left.then((response) => response.text())).rejects.toThrow("left");
});

test("a function may choose a list by the request", async () => {
  const { fetch } = createScriptedFetch(({ method }) => (method === "GET" ? [done] : Response.json(method)));
  expect(await (await fetch("/", {})).text()).toBe(frame(done) + doneMarker);
  expect(await (await fetch("/", { method: "DELETE" })).json()).toBe("DELETE");
});

test("an error is a request that fails", async () => {
  const offline = new TypeError("fetch failed");
  await expect(createScriptedFetch(offline).fetch("/", {})).rejects.toBe(offline);
});

describe("a list of steps", () => {
  test("takes a step when the reader asks for it, and no earlier", async () => {
    const waits = [vi.fn((go) => go()), vi.fn((go) => go())] as const;
    const [first, second] = waits.map((then) => ({ then }) as unknown as PromiseLike<void>);
    const reader = (await answerOf(first!, "a", second!, "b")).body!.getReader();
    await macrotask();
    expect(waits[0]).not.toHaveBeenCalled();
    await reader.read();
    await macrotask();
    expect(waits[0]).toHaveBeenCalled();
    expect(waits[1]).not.toHaveBeenCalled();
    await reader.cancel();
  });

  test("is a stream of these chunks, texts and bytes", async () => {
    const response = await answerOf(delta("a"), ": heartbeat\n\n", bytesOf(frame(delta("b"))));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toBe(`${frame(delta("a"))}: heartbeat\n\n${frame(delta("b"))}`);
  });

  test.each([done, { type: "abort", reason: "stopped" }, { type: "error", message: "No." }] as const)(
    "ends with [DONE] after a last chunk that ends an answer: $type",
    async (chunk) => {
      expect(await (await answerOf(chunk)).text()).toBe(frame(chunk) + doneMarker);
    },
  );

  test("is a cut connection after any other last step", async () => {
    const truncated = { error: expect.objectContaining({ name: "StreamTruncatedError" }) };
    expect(await readAnswer(delta("a"))).toMatchObject({ chunks: [delta("a")], ...truncated });
    expect(await readAnswer({ type: "error", message: "No." }, frame(delta("a")).slice(0, 9))).toMatchObject(
      truncated,
    );
    expect(await readAnswer()).toMatchObject(truncated);
  });

  test("has the ids of a run from its start on, and continues them in the answer to a resume", async () => {
    const { fetch } = createScriptedFetch(
      [delta("a"), { type: "run-start", runId: "r" }, delta("b")],
      [delta("c"), ": hb=8000\n\n", done],
    );
    expect(await (await fetch("/", {})).text()).toBe(
      `${frame(delta("a"))}id: r.0\n${frame({ type: "run-start", runId: "r" })}id: r.1\n${frame(delta("b"))}`,
    );
    expect(await (await fetch("/", { headers: { "Last-Event-ID": "r.1" } })).text()).toBe(
      `id: r.2\n${frame(delta("c"))}: hb=8000\n\nid: r.3\n${frame(done)}${doneMarker}`,
    );
  });

  test("breaks where it has an error, or a promise that rejects", async () => {
    const reset = new Error("reset");
    for (const step of [reset, Promise.reject(reset)]) {
      const { chunks, error } = await readAnswer(delta("a"), step, done);
      expect(chunks).toEqual([delta("a")]);
      expect(error).toMatchObject({ cause: reset });
    }
  });

  test("waits where it has a promise", async () => {
    const pause = Promise.withResolvers<void>();
    const reader = (await answerOf(delta("a"), pause.promise, delta("b"))).body!.getReader();
    await reader.read();
    let isPending = true;
    const next = reader.read().finally(() => {
      isPending = false;
    });
    await macrotask();
    expect(isPending).toBe(true);
    pause.resolve();
    expect(new TextDecoder().decode((await next).value)).toBe(frame(delta("b")));
  });

  test("waits where it has a number, for milliseconds on the clock of Vitest", async () => {
    vi.useFakeTimers();
    const text = (await answerOf(60_000, delta("a"))).text();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await text).toBe(frame(delta("a")));
  });

  test("waits where it has a number, for milliseconds on the clock of node:test", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const text = (await answerOf(60_000, delta("a"))).text();
    await macrotask();
    mock.timers.tick(60_000);
    expect(await text).toBe(frame(delta("a")));
    mock.timers.reset();
  });

  test("leaves no timer when its reader leaves", async () => {
    vi.useFakeTimers();
    const reader = (await answerOf(60_000)).body!.getReader();
    void reader.read();
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(1);
    await reader.cancel();
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("an aborted signal", () => {
  const reason = new Error("left");

  test("rejects a request without a response, and records it", async () => {
    const respond = vi.fn(() => new Response());
    const { fetch, calls } = createScriptedFetch(respond);
    await expect(fetch("/", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(respond).not.toHaveBeenCalled();
    expect(calls).toHaveLength(1);
  });

  test("rejects a request that has no response yet", async () => {
    const abort = new AbortController();
    const response = createScriptedFetch(never).fetch("/", { signal: abort.signal });
    abort.abort(reason);
    await expect(response).rejects.toBe(reason);
  });

  test("breaks a stream that waits, and one that does not", async () => {
    for (const steps of [
      [delta("a"), never()],
      [delta("a"), delta("b")],
    ]) {
      const abort = new AbortController();
      const { body } = await createScriptedFetch(steps).fetch("/", { signal: abort.signal });
      const reader = body!.getReader();
      await reader.read();
      const next = steps.length === 2 && "then" in steps[1]! ? reader.read() : undefined;
      abort.abort(reason);
      await expect(next ?? reader.read()).rejects.toBe(reason);
    }
  });

  test("leaves no listener after the response", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    for (const steps of [[done], [new Error("reset")]]) {
      const response = await createScriptedFetch(steps).fetch("/", { signal });
      await response.text().catch(() => {});
    }
    const left = await createScriptedFetch([done]).fetch("/", { signal });
    await left.body!.cancel();
    expect(added).toHaveBeenCalled();
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
  });
});

test("a chat that lost its network answers when it is back, in no time on a fake clock", async () => {
  vi.useFakeTimers();
  const { fetch, calls } = createScriptedFetch(new TypeError("fetch failed"), [delta("Hi"), done]);
  const chat = createChat({ endpoint: "/api/chat", runs: true, fetch });
  const sent = chat.send("Hello");
  await vi.advanceTimersByTimeAsync(5_000);
  await sent;
  expect(calls).toHaveLength(2);
  expect(chat.getSnapshot()).toMatchObject({ status: "ready", messages: [{}, { parts: [{ text: "Hi" }] }] });
});
