/**
 * The server of the load test: streams that are silent until they are told to begin, then give a chunk every second.
 * Measures itself when asked. Run with `--expose-gc`, as a child with a channel.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type StreamChunk, toSSE } from "@kortyx/server";
import { sendStream, toNodeHandler } from "@kortyx/server/node";

/** What the driver asks for. */
export type ServerCommand =
  /** The streams of this round give so many chunks each. */
  | { type: "prepare"; chunks: number }
  /** Silence ends. */
  | { type: "begin" }
  | { type: "measure" };

/** A process at rest, its garbage collected. */
export interface Measurement {
  heapBytes: number;
  rssBytes: number;
  /** Sources that are open, whoever holds them. */
  openSources: number;
  connections: number;
  /** How much of what keeps the process alive, by kind. */
  resources: Record<string, number>;
}

export type ServerMessage = { type: "listening"; port: number } | ({ type: "measured" } & Measurement);

const chunkEveryMs = 1000;
/** Short enough for every stream to be kept alive by some while it is silent. */
const heartbeatMs = 1000;

let chunksPerStream = 0;
let begun: Promise<void>;
let begin: () => void;
let openSources = 0;
let streamCount = 0;

/** Every second stream is left to the client to end. The times of the streams are spread over the second. */
async function* source({ signal }: { signal: AbortSignal }): AsyncGenerator<StreamChunk> {
  const index = streamCount++;
  openSources++;
  try {
    await begun;
    await delay((index * 7) % chunkEveryMs, undefined, { signal });
    for (let count = 0; count < chunksPerStream; count++) {
      if (count > 0) await delay(chunkEveryMs, undefined, { signal });
      yield { type: "text-delta", delta: `${count} ${process.hrtime.bigint()}` };
    }
    if (index % 2 === 0) yield { type: "done" };
    else await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  } finally {
    openSources--;
  }
}

/** The same without the package: what Node itself holds for an open response. */
async function answerBare(res: ServerResponse): Promise<void> {
  const left = new AbortController();
  res.once("close", () => left.abort());
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(":open\n\n");
  try {
    for await (const chunk of source({ signal: left.signal }))
      res.write(`data: ${JSON.stringify(chunk)}\n\n`);
    res.end("data: [DONE]\n\n");
  } catch {
    // The client has left.
  }
}

const answerToSSE = toNodeHandler((request) => toSSE(source, { heartbeatMs, signal: request.signal }));
const server = createServer((req, res) => {
  if (req.url === "/bare") answerBare(res);
  else if (req.url === "/to-sse") answerToSSE(req, res);
  else sendStream(req, res, source, { heartbeatMs });
});

async function measure(): Promise<Measurement> {
  // What a collection frees may let go of more, in callbacks of its own.
  for (let pass = 0; pass < 4; pass++) {
    globalThis.gc?.();
    await delay(20);
  }
  const { heapUsed, rss } = process.memoryUsage();
  const connections = await new Promise<number>((resolve) =>
    server.getConnections((_, count) => resolve(count)),
  );
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo().sort()) resources[kind] = (resources[kind] ?? 0) + 1;
  return { heapBytes: heapUsed, rssBytes: rss, openSources, connections, resources };
}

const send = (message: ServerMessage): void => void process.send?.(message);

process.on("message", async (command: ServerCommand) => {
  if (command.type === "prepare") {
    chunksPerStream = command.chunks;
    streamCount = 0;
    begun = new Promise((resolve) => {
      begin = resolve;
    });
  } else if (command.type === "begin") {
    begin();
  } else {
    send({ type: "measured", ...(await measure()) });
  }
});

// The driver may be ended from outside: this process goes with it.
process.once("disconnect", () => process.exit());

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
  send({ type: "listening", port: (server.address() as AddressInfo).port }),
);
