import { describe, expect, test, vi } from "vitest";
import { checkResponse } from "../../src/route/check-response.ts";
import type { StreamHttpError } from "../../src/stream/errors.ts";
import { bodilessResponse, bytesOf, macrotask, testBody } from "../stream/bodies.ts";

const kilobyte = "x".repeat(1024);

/** The error for a refused response; undefined if the response is accepted. */
const refusalOf = (
  response: Response,
  mediaType?: string,
  signal = new AbortController().signal,
): Promise<StreamHttpError | undefined> =>
  checkResponse(response, mediaType, signal).then(
    () => undefined,
    (error) => error,
  );

describe("an acceptable response", () => {
  test("is left untouched: its body is neither read nor cancelled", async () => {
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

  test("may have any content type when none is expected, and needs none without a body", async () => {
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

test("must be a Response: another value from fetch is refused, and the error names it", async () => {
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

describe("a response with the wrong content type", () => {
  test("is refused by its type before the body is read, and the body is cancelled", async () => {
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

  test("is refused by its type alone when an adapter gives no URL", async () => {
    const adapted = { ok: true, status: 200, headers: new Headers(), body: testBody(["x"]).stream };
    expect(await refusalOf(adapted as unknown as Response, "text/event-stream")).toMatchObject({
      message: "Expected text/event-stream, got no content type.",
    });
  });
});

describe("a response with an error status", () => {
  test("is refused with its body, whatever content type was expected", async () => {
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

  test("keeps a JSON body that is a plain value", async () => {
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

  test("is reported by its status alone when an adapter provides only a status and headers", async () => {
    const adapted = { ok: false, status: 502, headers: new Headers() } as Response;
    expect(await refusalOf(adapted)).toMatchObject({ message: "The route responded with 502", body: "" });
  });

  test("is read up to 64 KiB, then cancelled", async () => {
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

  test("keeps the start of the text when its JSON exceeds 64 KiB", async () => {
    const json = JSON.stringify({ error: "x".repeat(100_000) });
    const pieces = json.match(/.{1,1024}/g)!;
    expect(await refusalOf(new Response(testBody(pieces).stream, { status: 500 }))).toMatchObject({
      body: json.slice(0, 65_536),
      message: "The route responded with 500",
    });
  });

  test("decodes characters that were split between pieces", async () => {
    const bytes = bytesOf("語".repeat(40_000));
    const pieces = Array.from({ length: 118 }, (_, index) =>
      bytes.subarray(index * 1024, index * 1024 + 1024),
    );
    expect(await refusalOf(new Response(testBody(pieces).stream, { status: 500 }))).toMatchObject({
      body: "語".repeat(40_000),
    });
  });

  test("keeps the received part of a hanging body when the signal aborts, and cancels the body", async () => {
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

  test("leaves no listener on the signal, whether its body ended or failed", async () => {
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

test("keeps at most 64 KiB of the body, even if the body arrives in one piece", async () => {
  const refusal = await refusalOf(new Response("x".repeat(1_000_000), { status: 500 }));
  expect(refusal?.body).toHaveLength(65_536);
});

test("keeps the received part of its body when the body hangs for 10 s", async () => {
  vi.useFakeTimers();
  const body = testBody(["part"], { stays: true });
  const refused = refusalOf(new Response(body.stream, { status: 500 }));
  await vi.advanceTimersByTimeAsync(10_000);
  expect((await refused)?.body).toBe("part");
  expect(body.cancelled).toBeDefined();
  vi.useRealTimers();
});

test("does not wait for the body if the caller has already aborted", async () => {
  const body = testBody(["part"], { stays: true });
  await refusalOf(new Response(body.stream, { status: 500 }), undefined, AbortSignal.abort());
  expect(body.cancelled).toBeDefined();
  const bodiless = bodilessResponse(new Promise(() => {}), { status: 500 });
  expect((await refusalOf(bodiless, undefined, AbortSignal.abort()))?.body).toBe("");
});
