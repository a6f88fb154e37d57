import { describe, expect, test, vi } from "vitest";
import { createStreamResponse, toSSE } from "../../src/stream/to-sse.ts";
import { canonicalTranscripts } from "../transcripts.ts";

async function* answer() {
  yield { type: "text-delta", delta: "Hi" } as const;
  yield { type: "done" } as const;
}

describe("the response", () => {
  test("has status 200 and exactly four headers", () => {
    const response = toSSE(answer());
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      "cache-control": "no-cache",
      connection: "keep-alive",
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
  });

  test("lets the caller add, replace and remove headers in any form, and set the status", () => {
    const headers = { "X-Run": "7", "cache-control": "no-store", connection: null, "x-none": undefined };
    const expected = {
      "cache-control": "no-store",
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
      "x-run": "7",
    };
    const response = toSSE(answer(), { headers, status: 207 });
    expect(response.status).toBe(207);
    expect(Object.fromEntries(response.headers)).toEqual(expected);
    const pairs: [string, string][] = [
      ["X-Run", "7"],
      ["Cache-Control", "no-store"],
    ];
    for (const form of [pairs, new Headers(pairs)]) {
      const all = { ...expected, connection: "keep-alive" };
      expect(Object.fromEntries(toSSE(answer(), { headers: form }).headers)).toEqual(all);
    }
  });

  test("may have a header more than once", () => {
    const cookies = new Headers([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["cache-control", "private"],
      ["cache-control", "no-store"],
    ]);
    const { headers } = toSSE(answer(), { headers: cookies });
    expect(headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    const pairs: [string, string][] = [
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ];
    expect(toSSE(answer(), { headers: pairs }).headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(headers.get("cache-control")).toBe("private, no-store");
  });

  test("throws for invalid headers, an invalid status or an unknown option, and opens no source", () => {
    const unknown = { heartbeatMS: 5000 } as object;
    for (const options of [{ headers: { "x-a": "b\nc" } }, { status: 204 }, { status: 999 }, unknown]) {
      const open = vi.fn();
      expect(() => toSSE(open, options)).toThrow();
      expect(open).not.toHaveBeenCalled();
      const cancel = vi.fn();
      expect(() => toSSE(new ReadableStream({ cancel }), options)).toThrow();
      expect(cancel).toHaveBeenCalledOnce();
    }
  });

  test("accepts the same options in createStreamResponse", async () => {
    const failing = async function* () {
      yield* [];
      throw new Error("x");
    };
    const response = createStreamResponse(failing(), { status: 207, onError: () => "described" });
    expect(response.status).toBe(207);
    expect(await response.text()).toContain("described");
  });

  test("has exactly the data frames and [DONE] of a source that yields at once, byte for byte", async () => {
    const text = 'data: {"type":"text-delta","delta":"Hi"}\n\ndata: {"type":"done"}\n\ndata: [DONE]\n\n';
    expect(await toSSE(answer()).text()).toBe(text);
    expect(await createStreamResponse(answer()).text()).toBe(text);
  });
});

describe("the golden transcript", () => {
  for (const { name, bytes, chunks } of canonicalTranscripts) {
    test(`${name} is reproduced byte for byte`, async () => {
      expect(await toSSE(chunks).text()).toBe(bytes);
      const oneByOne = (async function* () {
        for (const chunk of chunks) {
          await new Promise((resolve) => setImmediate(resolve));
          yield chunk;
        }
      })();
      expect(await toSSE(oneByOne).text()).toBe(bytes);
    });
  }
});
