import { describe, expect, test, vi } from "vitest";
import { checkResponse } from "../../src/route/check-response.ts";
import type { StreamHttpError } from "../../src/stream/errors.ts";
import { bodilessResponse, bytesOf, macrotask, testBody } from "../stream/bodies.ts";

const kilobyte = "x".repeat(1024);

/** What a response is refused with; undefined when it is accepted. */
const refusalOf = (
  response: Response,
  mediaType?: string,
  signal = new AbortController().signal,
): Promise<StreamHttpError | undefined> =>
  checkResponse(response, mediaType, signal).then(
    () => undefined,
    (error) => error,
  );

describe("a response that is what was asked for", () => {
  test("is left alone: nothing of its body is read or cancelled", async () => {
    for (const contentType of [
      "application/json",
      "application/json;charset=utf-8",
      " Application/JSON ; a=b",
    ]) {
      const body = testBody(["{}"]);
      const response = new Response(body.stream, { headers: { "content-type": contentType } });
      expect(await refusalOf(response, "application/json")).toBeUndefined();
      expect(body).toMatchObject({ pulls: 0, cancelled: undefined });
      expect(response.bodyUsed).toBe(false);
    }
  });

  test("may have any type where none is named, and none where it has no body", async () => {
    expect(await refusalOf(new Response(testBody(["x"]).stream))).toBeUndefined();
    expect(await refusalOf(new Response(null, { status: 204 }), "text/event-stream")).toBeUndefined();
  });

  test("may have any status from 200 to 299", async () => {
    for (const status of [200, 201, 202, 299]) {
      const response = new Response("", { status, headers: { "content-type": "a/b" } });
      expect(await refusalOf(response, "a/b")).toBeUndefined();
    }
  });
});

test("what fetch resolves to, but is no response, is refused by what it is", async () => {
  for (const [value, named] of [
    [undefined, "undefined"],
    [{ data: {}, status: 200, headers: {} }, "an object"],
    ["text", '"text"'],
  ] as const) {
    expect(await refusalOf(value as never)).toMatchObject({
      name: "StreamBodyError",
      message: `Cannot read the body: fetch resolved to ${named}, expected a Response.`,
    });
  }
});

describe("a response of another type", () => {
  test("is refused by its type, not by its beginning, and its body is cancelled unread", async () => {
    for (const contentType of ["text/html", "text/event-streams", "text/event", "x; text/event-stream"]) {
      const body = testBody(["<html>"]);
      const response = new Response(body.stream, { headers: { "content-type": contentType } });
      expect(await refusalOf(response, "text/event-stream")).toMatchObject({
        name: "StreamContentTypeError",
        code: "content-type",
        contentType,
        message: `Expected text/event-stream, got ${contentType}.`,
      });
      expect(body.pulls).toBe(0);
      expect(body.cancelled).toBeDefined();
    }
  });

  test("is refused by its type alone where an adapter does not say where it comes from", async () => {
    const adapted = { ok: true, status: 200, headers: new Headers(), body: testBody(["x"]).stream };
    expect(await refusalOf(adapted as unknown as Response, "text/event-stream")).toMatchObject({
      message: "Expected text/event-stream, got no content type.",
    });
  });
});

describe("a response of another status", () => {
  test("is refused with its body, whatever type was asked for", async () => {
    for (const mediaType of [undefined, "text/event-stream"]) {
      for (const status of [300, 400, 404, 500, 599]) {
        expect(await refusalOf(new Response('{"a":[1]}', { status }), mediaType)).toMatchObject({
          name: "StreamHttpError",
          status,
          body: { a: [1] },
        });
      }
    }
  });

  test("of JSON that is a plain value gives the value", async () => {
    for (const [text, body] of [
      ["null", null],
      ['"text"', "text"],
      ["7", 7],
      ["", ""],
      ["{half", "{half"],
    ]) {
      expect((await refusalOf(new Response(text as string, { status: 500 })))?.body).toBe(body);
    }
  });

  test("that an adapter gives no more than a status and headers is named by its status alone", async () => {
    const adapted = { ok: false, status: 502, headers: new Headers() } as Response;
    expect(await refusalOf(adapted)).toMatchObject({ message: "The route answered 502", body: "" });
  });

  test("is read to 64 KiB, and then cancelled", async () => {
    const body = testBody(Array(200).fill(kilobyte));
    expect((await refusalOf(new Response(body.stream, { status: 500 })))?.body).toBe(kilobyte.repeat(64));
    expect(body.pulls).toBe(64);
    expect(body.cancelled).toBeDefined();
  });

  test("below 64 KiB is read to its end", async () => {
    const body = testBody([...Array(63).fill(kilobyte), kilobyte.slice(1)]);
    expect((await refusalOf(new Response(body.stream, { status: 500 })))?.body).toHaveLength(65_535);
    expect(body.pulls).toBe(65);
    expect(body.cancelled).toBeUndefined();
  });

  test("whose JSON is longer than that gives the beginning of its text", async () => {
    const json = JSON.stringify({ error: "x".repeat(100_000) });
    const pieces = json.match(/.{1,1024}/g)!;
    expect(await refusalOf(new Response(testBody(pieces).stream, { status: 500 }))).toMatchObject({
      body: json.slice(0, 65_536),
      message: "The route answered 500",
    });
  });

  test("decodes characters that were cut", async () => {
    const bytes = bytesOf("語".repeat(40_000));
    const pieces = Array.from({ length: 118 }, (_, index) =>
      bytes.subarray(index * 1024, index * 1024 + 1024),
    );
    expect(await refusalOf(new Response(testBody(pieces).stream, { status: 500 }))).toMatchObject({
      body: "語".repeat(40_000),
    });
  });

  test("whose body hangs gives what came when the signal is aborted, and the body is cancelled", async () => {
    const body = testBody(["part"], { stays: true });
    const abort = new AbortController();
    const removed = vi.spyOn(abort.signal, "removeEventListener");
    const refusal = refusalOf(new Response(body.stream, { status: 500 }), undefined, abort.signal);
    await macrotask();
    abort.abort();
    expect(await refusal).toMatchObject({ name: "StreamHttpError", body: "part" });
    expect(body.cancelled).toBeDefined();
    expect(removed).toHaveBeenCalledTimes(1);
  });

  test("leaves no listener on the signal, whether its body ended or broke", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await refusalOf(new Response("over", { status: 500 }), undefined, signal);
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error("reset")) });
    expect(await refusalOf(new Response(broken, { status: 500 }), undefined, signal)).toMatchObject({
      body: "",
    });
    expect(added).toHaveBeenCalledTimes(2);
    expect(removed.mock.calls.map(([, cancel]) => cancel)).toEqual(
      added.mock.calls.map(([, cancel]) => cancel),
    );
  });
});

test("of an error's body no more than 64 KiB are kept, also when it comes in one piece", async () => {
  const refusal = await refusalOf(new Response("x".repeat(1_000_000), { status: 500 }));
  expect(refusal?.body).toHaveLength(65_536);
});

test("an error's body that hangs is waited for 10 s; what has come counts", async () => {
  vi.useFakeTimers();
  const body = testBody(["part"], { stays: true });
  const refused = refusalOf(new Response(body.stream, { status: 500 }));
  await vi.advanceTimersByTimeAsync(10_000);
  expect((await refused)?.body).toBe("part");
  expect(body.cancelled).toBeDefined();
  vi.useRealTimers();
});

test("an error's body is not waited for by a caller who has left before", async () => {
  const body = testBody(["part"], { stays: true });
  await refusalOf(new Response(body.stream, { status: 500 }), undefined, AbortSignal.abort());
  expect(body.cancelled).toBeDefined();
  const bodiless = bodilessResponse(new Promise(() => {}), { status: 500 });
  expect((await refusalOf(bodiless, undefined, AbortSignal.abort()))?.body).toBe("");
});
