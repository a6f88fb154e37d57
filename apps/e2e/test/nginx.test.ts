import { setTimeout as delay } from "node:timers/promises";
import { readStream, streamChatFromRoute } from "@kortyx/client";
import { type StreamChunk, type StreamResponseOptions, type StreamSource, toSSE } from "@kortyx/server";
import { sendStream, toNodeHandler } from "@kortyx/server/node";
import { afterEach, describe, expect, test } from "vitest";
import { collect, type LiveServer, listenOnNode, until } from "./live-server.ts";
import { hasNginx, startNginx } from "./nginx.ts";
import { type StreamProgram, startStreamProgram } from "./stream-program.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

const started: LiveServer[] = [];
let program: StreamProgram | undefined;
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()));
  await program?.kill();
  program = undefined;
});

/** nginx with Debian's configuration in front of a route that responds with `source`. @returns its URL. */
async function serve(
  source: StreamSource,
  {
    directives = "",
    way = "to-sse",
    ...options
  }: { directives?: string; way?: string } & StreamResponseOptions = {},
): Promise<string> {
  const server = await listenOnNode(
    way === "to-sse"
      ? toNodeHandler((request) => toSSE(source, { ...options, signal: request.signal }))
      : (req, res) => void sendStream(req, res, source, options),
  );
  started.push(server);
  const nginx = await startNginx(server.url, directives);
  started.push(nginx);
  return nginx.url;
}

const settings = [
  { what: "as it comes", directives: "" },
  {
    what: "with gzip for event streams",
    directives: "gzip on; gzip_types text/event-stream; gzip_min_length 0;",
    encoding: "gzip",
  },
  {
    what: "with HTTP/1.1 to the server",
    directives: 'proxy_http_version 1.1; proxy_set_header Connection "";',
  },
];

describe.skipIf(!hasNginx())("behind nginx", () => {
  describe.each(settings)("$what", ({ directives, encoding = null }) => {
    test.each(["to-sse", "send-stream"])("events arrive one by one: %s", async (way) => {
      let seen = 0;
      const eventCount = 20;
      const url = await serve(
        async function* () {
          for (let event = 0; event < eventCount; event++) {
            yield delta(String(event));
            await until(() => seen > event, `event ${event} reaches the client`);
          }
          yield { type: "done" };
        },
        { directives, way },
      );
      const response = await fetch(url, { headers: { "accept-encoding": "gzip" } });
      expect(response.headers.get("content-encoding")).toBe(encoding);
      const types: string[] = [];
      for await (const chunk of readStream(response)) {
        types.push(chunk.type);
        seen++;
      }
      expect(types).toEqual([...Array(eventCount).fill("text-delta"), "done"]);
    });

    test("an upstream that is killed halfway truncates the stream for every reader", async () => {
      program = await startStreamProgram();
      const nginx = await startNginx(program.url, directives);
      started.push(nginx);
      const headers = { "accept-encoding": "gzip" };
      const streams = [
        readStream(await fetch(`${nginx.url}/to-sse/endless`, { headers })),
        readStream(await fetch(`${nginx.url}/send-stream/quiet`, { headers })),
        streamChatFromRoute({
          endpoint: `${nginx.url}/chat`,
          messages: [{ role: "user", content: "endless" }],
          headers,
        }),
      ];
      const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
      for (const iterator of iterators)
        expect(await iterator.next()).toMatchObject({ done: false, value: { type: "text-delta" } });
      await program.kill();
      for (const iterator of iterators) {
        const { error } = await collect({ [Symbol.asyncIterator]: () => iterator });
        expect(error).toMatchObject({ name: "StreamTruncatedError", code: "truncated" });
      }
    });
  });

  test("without x-accel-buffering nginx holds events back, as a control for the tests of arrival", async () => {
    let seen = 0;
    let seenBeforeTheEnd = -1;
    const url = await serve(
      async function* () {
        yield delta("first");
        await delay(500);
        seenBeforeTheEnd = seen;
        yield { type: "done" };
      },
      { headers: { "x-accel-buffering": null } },
    );
    for await (const _ of readStream(await fetch(url))) seen++;
    expect(seenBeforeTheEnd).toBe(0);
    expect(seen).toBe(2);
  });

  test("a silence of 5 s survives a read timeout of 3 s with heartbeats, and is cut without them", async () => {
    const silent = async function* (): AsyncGenerator<StreamChunk> {
      yield delta("before");
      await delay(5000);
      yield delta("after");
      yield { type: "done" };
    };
    const directives = "proxy_read_timeout 3s;";
    const [kept, keptBySendStream, cut] = await Promise.all(
      [
        { heartbeatMs: 300, way: "to-sse" },
        { heartbeatMs: 300, way: "send-stream" },
        { heartbeatMs: 0, way: "to-sse" },
      ].map(async (options) => {
        const url = await serve(silent, { ...options, directives });
        return collect(readStream(await fetch(url)));
      }),
    );
    const whole = [delta("before"), delta("after"), { type: "done" }];
    expect(kept?.chunks).toEqual(whole);
    expect(kept?.error).toBeUndefined();
    expect(keptBySendStream?.chunks).toEqual(whole);
    expect(keptBySendStream?.error).toBeUndefined();
    expect(cut?.chunks).toEqual([delta("before")]);
    expect(cut?.error).toMatchObject({ name: "StreamTruncatedError" });
  });

  test.each(["to-sse", "send-stream"])("a client that disconnects stops the source: %s", async (way) => {
    let isAborted = false;
    const url = await serve(
      async function* ({ signal }) {
        signal.addEventListener("abort", () => {
          isAborted = true;
        });
        yield delta("first");
        await new Promise(() => {});
      },
      { way },
    );
    for await (const _ of readStream(await fetch(url))) break;
    await until(() => isAborted, "the source's signal is aborted");
  });
});
