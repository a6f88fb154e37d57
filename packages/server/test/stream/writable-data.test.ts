import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { StreamChunk } from "@kortyx/protocol";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { sendStream } from "../../src/node.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import { collectBufferedStream, collectStream } from "../../src/stream/collect-stream.ts";
import { toSSE } from "../../src/stream/to-sse.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => log.mockClear());

const cycle: Record<string, unknown> = { secret: "s3cr3t" };
cycle.self = cycle;
const unwritable: [string, unknown][] = [
  ["a cycle", cycle],
  ["a BigInt", { count: 1n }],
  [
    "a toJSON() that throws",
    {
      toJSON() {
        throw new Error("no");
      },
    },
  ],
  [
    "a getter that throws",
    Object.defineProperty({}, "at", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    }),
  ],
];
const text: StreamChunk = { type: "text-delta", delta: "Hi" };
const usage = { inputTokens: 1 };
const written = { type: "done", finishReason: "stop", usage };
const done = (data: unknown): StreamChunk => ({ ...written, data }) as StreamChunk;
const wire = `data: ${JSON.stringify(text)}\n\ndata: ${JSON.stringify(written)}\n\ndata: [DONE]\n\n`;

describe.each(unwritable)(
  "a done with data that is %s is written without it, which is logged once",
  (_, data) => {
    const source = () => [text, done(data)];

    test("by toSSE", async () => {
      expect(await toSSE(source()).text()).toBe(wire);
      expect(log).toHaveBeenCalledTimes(1);
      expect(log).toHaveBeenCalledWith(
        expect.stringContaining("data of a done chunk was left out"),
        expect.any(Error),
      );
    });

    test("by sendStream", async () => {
      const server = createServer((req, res) => void sendStream(req, res, source()));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      expect(await response.text()).toBe(wire);
      expect(log).toHaveBeenCalledTimes(1);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });

    test("by the collectors", async () => {
      expect(await collectStream(source())).toEqual([text, written]);
      const buffered = await collectBufferedStream(source());
      expect(JSON.parse(JSON.stringify(buffered))).toEqual({
        chunks: [text, written],
        text: "Hi",
        structured: [],
      });
      expect(log).toHaveBeenCalledTimes(2);
    });

    test("by a run", async () => {
      const onFinish = vi.fn();
      const route = createChatRoute({
        agent: { streamChat: source },
        authorize: () => "ann",
        runs: { store: createMemoryRunStore(), onFinish },
      });
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ messages: [{ role: "user", content: "Hi" }] });
      const response = await route.POST(new Request("http://host/", { method: "POST", headers, body }));
      expect((await response.text()).endsWith(wire)).toBe(true);
      await vi.waitFor(() => expect(onFinish).toHaveBeenCalledTimes(1));
      expect(onFinish.mock.calls[0]![0]).toMatchObject({
        terminal: written,
        message: { status: "done", usage },
      });
      expect(log).toHaveBeenCalledTimes(1);
    });
  },
);

test("data that can be written is kept", async () => {
  const data = { at: new Date(0), none: undefined };
  expect(await toSSE([done(data)]).text()).toContain('"data":{"at":"1970-01-01T00:00:00.000Z"}');
  expect(await collectStream([done(data)])).toEqual([{ ...written, data }]);
  expect(log).not.toHaveBeenCalled();
});

test("a done with another invalid field, or another chunk that cannot be written, is still a failure", async () => {
  const wrong = { type: "done", usage: 1, data: cycle } as unknown as StreamChunk;
  expect(await toSSE([text, wrong]).text()).toContain('"code":"invalid-chunk"');
  const input = { type: "tool-call-ready", tool: "t", toolCallId: "c", input: 1n } as StreamChunk;
  expect(await toSSE([text, input]).text()).toContain('"code":"invalid-chunk"');
  await expect(collectBufferedStream([text, input])).rejects.toMatchObject({ code: "unserializable-chunk" });
  await expect(collectStream([wrong])).rejects.toMatchObject({ code: "invalid-chunk" });
});
