import { globSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { consumeStream, readStream, streamChatFromRoute } from "@kortyx/client";
import { collectBufferedStream, parseChatRequestBody, type StreamChunk, toSSE } from "@kortyx/server";
import { afterEach, describe, expect, test } from "vitest";
import { collect, type LiveServer, listen, until } from "./live-server.ts";

let server: LiveServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const messages = [{ role: "user" as const, content: "Hello" }];

describe("a route and a reader", () => {
  const agent = {
    async streamChat(
      asked: { content: string }[],
      { sessionId }: { sessionId?: string | undefined; workflowId?: string | undefined },
    ) {
      return (async function* (): AsyncGenerator<StreamChunk> {
        yield { type: "session", sessionId: sessionId ?? "new" };
        yield delta(`You said ${asked.at(-1)?.content}.`);
        yield { type: "done" };
      })();
    },
  };

  async function POST(request: Request): Promise<Response> {
    const body = parseChatRequestBody(await request.json());
    const stream = await agent.streamChat(body.messages, {
      sessionId: body.sessionId,
      workflowId: body.workflowId,
    });
    return toSSE(stream);
  }

  test("receive the agent's chunks by reading the response", async () => {
    server = await listen(POST);
    const body = JSON.stringify({ messages, sessionId: "s-1" });
    const response = await fetch(server.url, { method: "POST", body });
    const seen: string[] = [];
    for await (const chunk of readStream(response.body)) {
      seen.push(chunk.type);
      if (chunk.type === "done") break;
    }
    expect(seen).toEqual(["session", "text-delta", "done"]);
  });

  test("receive the agent's chunks by streamChatFromRoute", async () => {
    server = await listen(POST);
    const stream = streamChatFromRoute({ endpoint: server.url, messages });
    const seen: StreamChunk[] = [];
    const outcome = await consumeStream(stream, { onChunk: (chunk) => void seen.push(chunk) });
    expect(outcome).toEqual({ outcome: "done", chunk: { type: "done" } });
    expect(seen).toEqual([{ type: "session", sessionId: "new" }, delta("You said Hello."), { type: "done" }]);
  });

  test("use a buffered answer with the whole stream as one JSON value", async () => {
    server = await listen(async () =>
      Response.json(await collectBufferedStream(agent.streamChat(messages, {}))),
    );
    expect(await (await fetch(server.url)).json()).toMatchObject({ text: "You said Hello.", structured: [] });
  });
});

describe("golden transcripts through a socket", () => {
  const folder = new URL("../node_modules/@kortyx/protocol/transcripts/", import.meta.url);
  for (const name of globSync("*/*.json", { cwd: folder }).map((file) => file.slice(0, -5))) {
    const { canonical, outcome, entries } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
    const chunks: StreamChunk[] = entries.map((entry: { chunk: StreamChunk }) => entry.chunk);
    const known = entries
      .filter((entry: { unknown?: true }) => !entry.unknown)
      .map((entry: { chunk: StreamChunk }) => entry.chunk);

    test(`${name}: the bytes, sent by another server, end as ${outcome}`, async () => {
      server = await listen(
        () =>
          new Response(readFileSync(new URL(`${name}.sse`, folder)), {
            headers: { "content-type": "text/event-stream" },
          }),
      );
      const stream = streamChatFromRoute({ endpoint: server.url, messages, giveUpAfterMs: 0 });
      const reading = await collect(stream);
      expect(reading.chunks).toEqual(known);
      if (outcome === "truncated") expect(reading.error).toMatchObject({ name: "StreamTruncatedError" });
      else if (outcome === "violation") expect(reading.error).toMatchObject({ name: "StreamProtocolError" });
      else expect(reading).not.toHaveProperty("error");
    });

    if (canonical) {
      test(`${name}: the chunks sent by toSSE are the chunks that arrive`, async () => {
        server = await listen(() => toSSE(chunks));
        expect(await collect(readStream(await fetch(server.url)))).toEqual({ chunks: known });
      });
    }
  }
});

describe("cancelling", () => {
  /** A route whose source is idle after its first chunk, and a record of how it ends. */
  function idleRoute() {
    const seen = { aborted: false, ended: false };
    const handler = (request: Request) =>
      toSSE(
        ({ signal }) => {
          signal.addEventListener("abort", () => {
            seen.aborted = true;
          });
          return (async function* () {
            try {
              yield delta("a");
              await new Promise((resolve) => signal.addEventListener("abort", resolve));
            } finally {
              seen.ended = true;
            }
          })();
        },
        { signal: request.signal },
      );
    return { seen, handler };
  }

  test("a break in the loop stops the source on the server", async () => {
    const { seen, handler } = idleRoute();
    server = await listen(handler);
    for await (const _ of streamChatFromRoute({ endpoint: server.url, messages })) break;
    await until(() => seen.aborted && seen.ended, "the source stopped");
  });

  test("the caller's signal, aborted during a pending read, stops the source on the server", async () => {
    const { seen, handler } = idleRoute();
    server = await listen(handler);
    const abort = new AbortController();
    const stream = streamChatFromRoute({ endpoint: server.url, messages, signal: abort.signal });
    const consumed = consumeStream(stream, { onChunk: () => void setImmediate(() => abort.abort("stop")) });
    await expect(consumed).rejects.toBe("stop");
    await until(() => seen.aborted && seen.ended, "the source stopped");
  });
});

describe("failures", () => {
  test("a source that fails halfway arrives as an error chunk and a complete stream", async () => {
    const onError = () => ({ message: "The model is busy.", code: "busy", retryable: true });
    server = await listen(() =>
      toSSE(
        (async function* () {
          yield delta("a");
          throw new Error("secret");
        })(),
        { onError },
      ),
    );
    const outcome = await consumeStream(streamChatFromRoute({ endpoint: server.url, messages }));
    expect(outcome).toEqual({
      outcome: "error",
      chunk: { type: "error", message: "The model is busy.", code: "busy", retryable: true },
    });
  });

  test("a socket that is reset halfway truncates the stream", async () => {
    const raw = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"type":"text-delta","delta":"a"}\n\n', () => response.socket?.resetAndDestroy());
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const { port } = raw.address() as AddressInfo;
    const { error } = await collect(streamChatFromRoute({ endpoint: `http://127.0.0.1:${port}`, messages }));
    expect(error).toMatchObject({ name: "StreamTruncatedError", code: "truncated" });
    await new Promise((resolve) => raw.close(resolve));
    const { error: refused } = await collect(
      streamChatFromRoute({ endpoint: `http://127.0.0.1:${port}`, messages }),
    );
    expect(refused).toMatchObject({ name: "StreamConnectionError", code: "connection" });
  });

  test("headers and first bytes of a silent source reach fetch long before a heartbeat is due", async () => {
    server = await listen(() =>
      toSSE(
        ({ signal }) =>
          (async function* (): AsyncGenerator<StreamChunk> {
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          })(),
        { heartbeatMs: 3_600_000 },
      ),
    );
    const reader = (await fetch(server.url)).body!.getReader();
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toBe(":hb=3600000\n\n");
    await reader.cancel();
  });
});
