/**
 * Load: many streams open at once on one Node process, over loopback. Prints the memory of an idle stream, the delay of
 * chunks, and the resources that remain when all streams are closed; fails if a stream is incomplete or a resource
 * remains.
 *
 *     node apps/e2e/load/open-streams.ts [--streams 5000] [--chunks 5] [--ways bare,to-sse,send-stream] [--json <file>]
 *
 * This process runs the clients; the server is a child, a new one for each way to answer. Needs Node 24 and a build.
 */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Measurement, ServerCommand, ServerMessage } from "./stream-server.ts";

/** A run that has not finished by then never will, even on a busy machine. */
const maxRunMs = 240_000;
/** The number of connections that are being opened at a time; all of them stay open. */
const openingAtOnce = 250;
/** File descriptors of the process that are not streams. */
const otherFiles = 100;

/** The measurements of one way to answer. */
export interface RoundReport {
  way: string;
  /** The memory that the streams took from the system when opened in a new process. */
  firstRssBytes: number;
  before: Measurement;
  whileOpen: Measurement;
  after: Measurement;
  /** Streams that delivered all of their chunks, in order. */
  wholeStreams: number;
  /** Streams that the server ended, each with a terminal and `[DONE]`. */
  endedInOrder: number;
  delayMedianMs: number;
  delayP99Ms: number;
  delayMaxMs: number;
}

export interface OpenStreamsReport {
  streams: number;
  chunks: number;
  maxOpenFiles: string;
  durationMs: number;
  rounds: RoundReport[];
  /** The faults, in sentences. */
  faults: string[];
}

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "5000" },
    chunks: { type: "string", default: "5" },
    ways: { type: "string", default: "bare,to-sse,send-stream" },
    json: { type: "string" },
  },
});
const streamCount = Number(values.streams);
const chunkCount = Number(values.chunks);

const startedAt = performance.now();
const maxOpenFiles = execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
console.log(
  `${streamCount} streams, ${chunkCount} chunks each, ulimit -n ${maxOpenFiles}, Node ${process.version}`,
);
if (Number(maxOpenFiles) < streamCount + otherFiles) {
  console.error(
    `The limit of open files is too low: run \`ulimit -n ${streamCount + otherFiles}\`, or use fewer --streams.`,
  );
  process.exit(1);
}

let server: ChildProcess | undefined;

function startServer(): ChildProcess {
  server = fork(fileURLToPath(new URL("stream-server.ts", import.meta.url)), { execArgv: ["--expose-gc"] });
  return server;
}

setTimeout(() => {
  console.error(`The load test did not finish within ${maxRunMs / 1000} s.`);
  server?.kill("SIGKILL");
  process.exit(1);
}, maxRunMs).unref();

/** The next message of this type from the server. */
function receive<Type extends ServerMessage["type"]>(
  child: ChildProcess,
  type: Type,
): Promise<Extract<ServerMessage, { type: Type }>> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error("The server exited."));
    child.once("exit", onExit);
    child.on("message", function listener(message: ServerMessage) {
      if (message.type !== type) return;
      child.off("message", listener).off("exit", onExit);
      resolve(message as Extract<ServerMessage, { type: Type }>);
    });
  });
}

const tell = (child: ChildProcess, command: ServerCommand): void => void child.send(command);

/** Polls until the last connection is also closed on the server's side. */
async function measure(child: ChildProcess, connections: number): Promise<Measurement> {
  for (;;) {
    tell(child, { type: "measure" });
    const measured = await receive(child, "measured");
    if (measured.connections === connections) return measured;
  }
}

interface ClientStream {
  request: ClientRequest;
  comments: number;
  chunks: number;
  isInOrder: boolean;
  /** The last two events received. */
  last: [string, string];
  isOver: boolean;
}

/** Opens a stream. @returns after its first bytes have arrived. */
function open(url: string, delaysMs: number[], onProgress: () => void): Promise<ClientStream> {
  return new Promise((resolve, reject) => {
    let rest = "";
    const stream: ClientStream = {
      request: request(url, { agent: false }),
      comments: 0,
      chunks: 0,
      isInOrder: true,
      last: ["", ""],
      isOver: false,
    };
    const take = (event: string) => {
      if (event.startsWith(":")) {
        stream.comments++;
        return;
      }
      stream.last = [stream.last[1], event];
      const found = /"delta":"(\d+) (\d+)"/.exec(event);
      if (found === null) return;
      delaysMs.push(Number(process.hrtime.bigint() - BigInt(found[2]!)) / 1e6);
      if (Number(found[1]) !== stream.chunks++) stream.isInOrder = false;
    };
    stream.request.once("response", (response) => {
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        const events = (rest + text).split("\n\n");
        rest = events.pop()!;
        for (const event of events) take(event);
        resolve(stream);
        onProgress();
      });
      response.once("end", () => {
        stream.isOver = true;
        onProgress();
      });
      // The stream was destroyed by this process.
      response.on("error", () => {});
    });
    stream.request.once("error", reject);
    stream.request.end();
  });
}

async function openAll(url: string, delaysMs: number[], onProgress: () => void): Promise<ClientStream[]> {
  const streams: ClientStream[] = [];
  let next = 0;
  const openSome = async () => {
    while (next++ < streamCount) streams.push(await open(url, delaysMs, onProgress));
  };
  await Promise.all(Array.from({ length: openingAtOnce }, openSome));
  return streams;
}

type Round = Omit<RoundReport, "way" | "firstRssBytes">;

async function runRound(child: ChildProcess, url: string, chunks: number): Promise<Round> {
  const before = await measure(child, 0);
  tell(child, { type: "prepare", chunks });
  const delaysMs: number[] = [];
  let streams: ClientStream[] = [];
  let check = () => {};
  const all = (isReady: (stream: ClientStream) => boolean) =>
    new Promise<void>((resolve) => {
      // From the end, so that the slowest is likely to be checked first.
      let waiting = streams.length - 1;
      check = () => {
        while (waiting >= 0 && isReady(streams[waiting]!)) waiting--;
        if (waiting < 0) resolve();
      };
      check();
    });

  streams = await openAll(url, delaysMs, () => check());
  // The first comment opens the stream; the second is a heartbeat.
  if (!url.endsWith("/bare")) await all((stream) => stream.comments >= 2);
  const whileOpen = await measure(child, streamCount);
  tell(child, { type: "begin" });
  await all((stream) => stream.chunks >= chunks);
  const endedByServer = Math.ceil(streamCount / 2);
  await new Promise<void>((resolve) => {
    check = () => {
      if (streams.filter((stream) => stream.isOver).length >= endedByServer) resolve();
    };
    check();
  });
  for (const stream of streams) stream.request.destroy();
  const after = await measure(child, 0);

  delaysMs.sort((left, right) => left - right);
  const quantile = (part: number) => delaysMs[Math.floor((delaysMs.length - 1) * part)] ?? Number.NaN;
  return {
    before,
    whileOpen,
    after,
    wholeStreams: streams.filter((stream) => stream.isInOrder && stream.chunks === chunks).length,
    endedInOrder: streams.filter(
      ({ isOver, last }) => isOver && last[0] === 'data: {"type":"done"}' && last[1] === "data: [DONE]",
    ).length,
    delayMedianMs: quantile(0.5),
    delayP99Ms: quantile(0.99),
    delayMaxMs: quantile(1),
  };
}

/** A first round fills caches and pools and compiles the code, which the second round must not measure. */
async function measureWay(way: string): Promise<RoundReport> {
  const child = startServer();
  try {
    const { port } = await receive(child, "listening");
    const url = `http://127.0.0.1:${port}/${way}`;
    const first = await runRound(child, url, 1);
    const firstRssBytes = first.whileOpen.rssBytes - first.before.rssBytes;
    // For Node alone, only the memory is measured.
    return { way, firstRssBytes, ...(await runRound(child, url, way === "bare" ? 1 : chunkCount)) };
  } finally {
    child.kill("SIGKILL");
  }
}

const list = (resources: Record<string, number>) =>
  Object.entries(resources)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");

function findFaults({ way, before, after, wholeStreams, endedInOrder }: RoundReport): string[] {
  const faults: string[] = [];
  const heapGrowth = after.heapBytes / before.heapBytes - 1;
  if (heapGrowth > 0.05) faults.push(`the heap grew by ${(heapGrowth * 100).toFixed(1)} %`);
  if (list(after.resources) !== list(before.resources))
    faults.push(`resources that remain: ${list(after.resources)}; before: ${list(before.resources)}`);
  if (after.openSources > 0) faults.push(`${after.openSources} sources are still open`);
  if (wholeStreams < streamCount) faults.push(`only ${wholeStreams} streams were whole`);
  if (endedInOrder !== Math.ceil(streamCount / 2)) faults.push(`${endedInOrder} streams ended in order`);
  return faults.map((fault) => `${way}: ${fault}`);
}

const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const kibibytesPerStream = (bytes: number) => `${(bytes / streamCount / 1024).toFixed(1)} KiB`;

function print({ way, firstRssBytes, before, whileOpen, after, ...round }: RoundReport): void {
  const heapChange = ((after.heapBytes / before.heapBytes - 1) * 100).toFixed(2);
  console.log(`
${way}
  an idle stream     heap ${kibibytesPerStream(whileOpen.heapBytes - before.heapBytes)}; rss of a new process ${kibibytesPerStream(firstRssBytes)}
  heap               before ${mebibytes(before.heapBytes)}, open ${mebibytes(whileOpen.heapBytes)}, after ${mebibytes(after.heapBytes)} (${heapChange} %)
  rss                before ${mebibytes(before.rssBytes)}, open ${mebibytes(whileOpen.rssBytes)}, after ${mebibytes(after.rssBytes)}
  delay of a chunk   median ${round.delayMedianMs.toFixed(2)} ms, p99 ${round.delayP99Ms.toFixed(2)} ms, largest ${round.delayMaxMs.toFixed(2)} ms
  streams            ${round.wholeStreams} whole, ${round.endedInOrder} ended by the server, the rest by the client
  kept alive by      before ${list(before.resources)}; open ${list(whileOpen.resources)}; after ${list(after.resources)}`);
}

const rounds: RoundReport[] = [];
for (const way of values.ways.split(",")) {
  const round = await measureWay(way);
  print(round);
  rounds.push(round);
}
const faults = rounds.flatMap(findFaults);
const durationMs = performance.now() - startedAt;
console.log(`\n${faults.join("\n") || "No faults."} (${(durationMs / 1000).toFixed(1)} s)`);
if (values.json !== undefined) {
  const report: OpenStreamsReport = {
    streams: streamCount,
    chunks: chunkCount,
    maxOpenFiles,
    durationMs,
    rounds,
    faults,
  };
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
process.exitCode = faults.length > 0 ? 1 : 0;
