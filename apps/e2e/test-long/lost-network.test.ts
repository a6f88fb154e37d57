/**
 * Clients that lose their network or server, over real sockets, at the default settings, in separate processes. They
 * wait in parallel, for about 110 s in all. Each test prints its measurements.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StreamProgram, startStreamProgram } from "../test/stream-program.ts";
import { endChildren, startChild, startNetwork } from "./lossy-network.ts";
import { startRun } from "./run-server.ts";

const serverProgram = fileURLToPath(new URL("../fixtures/run-server.mjs", import.meta.url));
const clientsProgram = fileURLToPath(new URL("../fixtures/following-clients.mjs", import.meta.url));

/** The latest time, after its network returns, at which a client must make its request. */
const maxAskMs = 5_000;
/** The time that a busy machine may add until the answer arrives; the guarantee covers only the requests. */
const machineMs = 30_000;
const minGapMs = 2_500;
/**
 * Of a thousand clients that lost their server, the share that may make a request in any second. Smaller groups vary
 * more.
 */
const maxShare = 0.4;

afterAll(endChildren);

/** The chunks and requests of one client. Times are in milliseconds of the clients' own clock. */
interface View {
  types: string[];
  text: string;
  requests: number[];
  opened: number[];
  error?: string;
}

interface Report {
  views: View[];
  /** The times at which the test reported the loss and the return. */
  marks: { lost: number; back: number };
  /** The longest time during which the clients' process could not run its timers. */
  stallMs: number;
}

interface Clients {
  /** Resolves when all have read the beginning of the answer. */
  following: Promise<void>;
  mark(name: keyof Report["marks"]): Promise<void>;
  report: Promise<Report>;
}

function startClients(settings: {
  endpoint: string;
  query?: object;
  clients: number;
  speed?: number;
}): Clients {
  const child = startChild(clientsProgram, settings);
  const report = child.receive<Report>((message) => typeof message === "object");
  report.catch(() => {});
  return {
    following: child.receive((message) => message === "following"),
    async mark(name) {
      const marked = child.receive((message) => message === "marked");
      child.process.send(name);
      await marked;
    },
    report,
  };
}

const gapsOf = (moments: number[]): number[] => moments.slice(1).map((at, last) => at - moments[last]!);

/** The largest number of moments within one second. */
function mostInASecond(moments: number[]): number {
  const sorted = moments.toSorted((one, other) => one - other);
  let first = 0;
  return sorted.reduce((most, moment, index) => {
    while (sorted[first]! <= moment - 1_000) first++;
    return Math.max(most, index - first + 1);
  }, 0);
}

/**
 * Asserts that each client has the whole answer, and made its requests in time but without a storm. Prints the figures.
 *
 * @param words - The number of words in the answer.
 */
function expectRestored(name: string, { views, marks, stallMs }: Report, words: number, speed = 1): void {
  const attempts = views.map(({ requests }) => requests.filter((at) => at > marks.lost));
  const lostViews = views.map(({ requests, opened }) => ({
    backMs: opened.find((at) => at > marks.lost)! - marks.back,
    askMs: (requests.find((at) => at > marks.back) ?? marks.back) - marks.back,
  }));
  const backMs = Math.max(...lostViews.map((view) => view.backMs));
  const askMs = Math.max(...lostViews.map((view) => view.askMs));
  const gapMs = attempts
    .flatMap(gapsOf)
    .reduce((least, gap) => Math.min(least, gap), Number.POSITIVE_INFINITY);
  const most = mostInASecond(attempts.flat());
  const counts = attempts.map(({ length }) => length);
  console.log(
    `${name}: ${views.length} clients, each made a request within ${Math.round(askMs)} ms and was back after ` +
      `${Math.round(backMs)} ms, ${Math.min(...counts)} to ${Math.max(...counts)} attempts each, at least ` +
      `${Math.round(gapMs)} ms apart, at most ${most} in a second, longest stall ${Math.round(stallMs)} ms`,
  );
  const text = Array.from({ length: words }, (_, index) => `${index} `).join("");
  const types = ["run-start", ...Array(words).fill("text-delta"), "done"];
  for (const view of views) expect(view).toMatchObject({ text, types });
  expect(views.filter(({ error }) => error !== undefined)).toEqual([]);
  // A stall may delay each of two timers.
  expect(askMs).toBeLessThan(maxAskMs + 2 * stallMs + 1_000 * speed);
  expect(backMs).toBeLessThan(maxAskMs + machineMs * speed);
  expect(gapMs).toBeGreaterThanOrEqual(minGapMs);
  // Everything due during a stall happens right after it.
  if (views.length === 1_000) expect(most).toBeLessThanOrEqual(1_000 * maxShare * (1 + stallMs / 1_000));
}

let folder: string;
let server: StreamProgram;
let runs = 0;

const startServer = (path: string, port = 0) =>
  startStreamProgram({
    main: serverProgram,
    env: { RUN_STORE: JSON.stringify({ path }), PORT: `${port}` },
  });

/** Starts an answer of one word per second. @returns its query. */
async function startAnswer(words: number): Promise<{ session: string }> {
  const session = `s${runs++}`;
  const response = await startRun(server.url, session, `talk ${words} 1000`);
  await response.body!.cancel();
  return { session };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-network-"));
  server = await startServer(join(folder, "runs.db"));
});
afterAll(async () => {
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

test.concurrent("a thousand clients whose server is killed and restarted are back within 5 s, without a storm of requests", async () => {
  const words = 60;
  const path = join(folder, "runs.db");
  const query = await startAnswer(words);
  let follower = await startServer(path);
  const { port } = new URL(follower.url);
  const clients = startClients({ endpoint: follower.url, query, clients: 1_000 });
  await clients.following;
  await follower.kill();
  await clients.mark("lost");
  await delay(10_000);
  follower = await startServer(path, Number(port));
  await clients.mark("back");
  const report = await clients.report;
  await follower.kill();
  expectRestored("a server that was killed and restarted", report, words);
});

for (const [outage, name, seconds, speed] of [
  ["refuse", "that refuses for a minute", 60, 1],
  ["swallow", "that drops packets for a minute", 60, 1],
  // The client's timers and `performance.now()`; the sockets keep their speed.
  ["swallow", "that drops packets for ten minutes, by clocks that are ten times as fast", 60, 10],
  ["swallow", "that drops packets for 8 s", 8, 1],
] as const) {
  test.concurrent(`fifty clients on a network ${name} are back within 5 s of its return, with the whole answer`, async () => {
    const words = seconds + 20;
    const query = await startAnswer(words);
    const network = await startNetwork(server.url);
    const clients = startClients({ endpoint: network.url, query, clients: 50, speed });
    await clients.following;
    await network.become(outage, "cut");
    await clients.mark("lost");
    await delay(seconds * 1_000);
    await network.become("pass");
    await clients.mark("back");
    expectRestored(`a network ${name}`, await clients.report, words, speed);
  });
}

test.concurrent("ten clients on a network that answers no SYN for 20 s are back within 5 s of its return, with the whole answer", async () => {
  const words = 40;
  const query = await startAnswer(words);
  const network = await startNetwork(server.url, 4);
  const clients = startClients({ endpoint: network.url, query, clients: 10 });
  await clients.following;
  await network.become("cut");
  network.process.kill("SIGSTOP");
  await clients.mark("lost");
  const dropped = await fillBacklog(Number(new URL(network.url).port));
  await delay(20_000);
  expect(dropped.connecting).toBe(true);
  network.process.kill("SIGCONT");
  await clients.mark("back");
  expectRestored("a network that answers no SYN for 20 s", await clients.report, words);
});

test.concurrent("fifty clients whose server takes 8 s to answer are back with their first request", async () => {
  const words = 30;
  const query = await startAnswer(words);
  const network = await startNetwork(server.url);
  const clients = startClients({ endpoint: network.url, query, clients: 50 });
  await clients.following;
  await clients.mark("lost");
  await clients.mark("back");
  await network.become("slow", "cut");
  // Of two parallel requests, the second is aborted after 3.5 s.
  expectRestored("a server that takes 8 s to answer", await clients.report, words);
});

test.concurrent("fifty clients whose server repeatedly sends one event and cuts make a request at most every 2.5 s, and lose nothing", async () => {
  const words = 8;
  const log = [
    { type: "run-start", runId: "run" },
    ...Array.from({ length: words }, (_, index) => ({ type: "text-delta", delta: `${index} ` })),
    { type: "done" },
  ];
  const cutting = createServer(({ headers }, response) => {
    const seq = Number(headers["last-event-id"]?.toString().slice("run.".length) ?? -1) + 1;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(`id: run.${seq}\ndata: ${JSON.stringify(log[seq])}\n\n`);
  });
  await new Promise<void>((resolve) => cutting.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(cutting.address() as AddressInfo).port}`;
  const clients = startClients({ endpoint, clients: 50 });
  await clients.following;
  await clients.mark("lost");
  await clients.mark("back");
  const report = await clients.report;
  cutting.close();
  expectRestored("a server that cuts after each event", report, words);
  for (const { requests } of report.views) expect(requests).toHaveLength(log.length);
});

/** Opens connections to a stopped process until one is not accepted. @returns that one. */
async function fillBacklog(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), delay(1_500)]);
    if (socket.connecting) return socket;
  }
}
