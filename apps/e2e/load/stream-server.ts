/**
 * The server of the load test: streams that are silent until the driver starts them, then yield a chunk every second.
 * Measures itself on request. Run with `--expose-gc`, as a child with a channel.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type StreamChunk, toSSE } from "@kortyx/server";
import { sendStream, toNodeHandler } from "@kortyx/server/node";

/** The commands of the driver. */
export type ServerCommand =
  /** Sets the number of chunks of each stream of this round. */
  | { type: "prepare"; chunks: number }
  /** Starts the chunks. */
  | { type: "begin" }
  | { type: "measure" };

/** An idle process after garbage collection. */
export interface Measurement {
  heapBytes: number;
  rssBytes: number;
  /** All open sources. */
  openSources: number;
  connections: number;
  /** The number of resources that keep the process alive, by kind. */
  resources: Record<string, number>;
}

export type ServerMessage = { type: "listening"; port: number } | ({ type: "measured" } & Measurement);

const chunkEveryMs = 1000;
/** Short enough for every silent stream to receive several. */
const heartbeatMs = 1000;

let chunksPerStream = 0;
let begun: Promise<void>;
let begin: () => void;
let openSources = 0;
let streamCount = 0;

/** Every second stream is ended by the client. The streams are spread evenly over the second. */
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

/** The same without the package, to measure Node's own cost of an open response. */
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
    // The client has disconnected.
  }
}

const answerToSSE = toNodeHandler((request) => toSSE(source, { heartbeatMs, signal: request.signal }));
const server = createServer((req, res) => {
  if (req.url === "/bare") answerBare(res);
  else if (req.url === "/to-sse") answerToSSE(req, res);
  else sendStream(req, res, source, { heartbeatMs });
});

async function measure(): Promise<Measurement> {
  // Collected objects may release others in their own callbacks.
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

// If the driver is ended from outside, this process ends with it.
process.once("disconnect", () => process.exit());

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
  send({ type: "listening", port: (server.address() as AddressInfo).port }),
);
