/**
 * Plays a plan with the clients and real servers on one Redis, or a cluster of it, behind nginx and a proxy that cuts
 * connections. Returns the records of the clients and the logs; `find-faults.ts` decides whether they are right.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { StreamChunk } from "@kortyx/client";
import { createRedisRunStore } from "@kortyx/server/redis";
import { startRedis } from "@kortyx/test-redis";
import { type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { startNginx } from "../test/nginx.ts";
import type { AskedQuestion, ClientsCommand } from "./clients.ts";
import { connectToRedis, type RedisAddress } from "./connect-to-redis.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";
import { type OwnProcess, startOwnProcess } from "./own-process.ts";
import {
  type ChaosPlan,
  type ClusterEvent,
  ownerOf,
  type ServerEnd,
  serverCount,
  sessionOf,
} from "./plan.ts";
import type { JournalLine, ServerSettings } from "./server.ts";

/** The default lease of the stores. */
export const leaseMs = 15_000;
/** The time after the lease within which a follower must learn of the end. */
export const graceMs = 2_000;
/** A client returns within 5 s of a cut; the rest is a margin for a busy machine. */
export const slackMs = 25_000;
const drainDeadlineMs = 3_000;

interface RunLog {
  runId: string;
  entries: StreamChunk[];
  /** Whether the store has recorded a terminal. */
  isEnded: boolean;
}

export interface PlayedGame {
  plan: ChaosPlan;
  durationMs: number;
  /** Each question with the log of its run; a question without one never reached a server. */
  questions: (AskedQuestion & { log: RunLog | undefined })[];
  journal: JournalLine[];
  cuts: number;
  /** Times are in milliseconds since 1970. */
  serverEnds: (ServerEnd & { signalledAt: number; tookMs: number; code: number | null })[];
  /** The stderr output of each process that wrote any. */
  errorOutputs: string[];
}

export async function playChaos(plan: ChaosPlan): Promise<PlayedGame> {
  const startedAt = Date.now();
  const folder = mkdtempSync(join(tmpdir(), "kortyx-chaos-"));
  const journalPath = join(folder, "journal");
  const opened: { close(): unknown }[] = [{ close: () => rmSync(folder, { recursive: true, force: true }) }];
  const open = <Opened extends { close(): unknown }>(resource: Opened): Opened => {
    opened.push(resource);
    return resource;
  };
  const processes: OwnProcess[] = [];
  async function start(file: string, settings?: object): Promise<OwnProcess> {
    const started = await startOwnProcess(file, settings);
    processes.push(started);
    open({
      async close() {
        started.child.kill("SIGKILL");
        await started.exited;
      },
    });
    return started;
  }

  try {
    const cluster = plan.clusterEvents && open(await startRedisCluster({ hasReplicas: true }));
    const redis: RedisAddress = cluster ?? open(await startRedis());
    const socketPaths = Array.from({ length: serverCount }, (_, server) => join(folder, `${server}.sock`));
    const startServer = (socketPath: string) =>
      start("server.ts", {
        socketPath,
        redis: "rootNodes" in redis ? { rootNodes: redis.rootNodes } : { socketPath: redis.socketPath },
        journalPath,
        drainDeadlineMs,
      } satisfies ServerSettings);
    const servers = await Promise.all(socketPaths.map(startServer));
    const nginx = open(await startNginx(socketPaths.map((path) => `unix:${path}`)));
    const proxy = open(await startCuttingProxy(nginx.url));
    const clients = await start("clients.ts");

    const begunAt = Date.now();
    const until = (atMs: number) => delay(Math.max(0, begunAt + atMs - Date.now()));
    const answered = new Promise<AskedQuestion[]>((resolve, reject) => {
      clients.child.once("message", (message) => resolve(message as AskedQuestion[]));
      void clients.exited.then(() => reject(new Error(`The clients exited: ${clients.errorOutput}`)));
    });
    clients.child.send({
      endpoint: proxy.url,
      clients: plan.clients,
      maxSilenceMs: leaseMs + graceMs + slackMs,
    } satisfies ClientsCommand);

    let cuts = 0;
    async function cut(): Promise<void> {
      for (const { atMs, which } of plan.cuts) {
        await until(atMs);
        if (proxy.cut(which)) cuts++;
      }
    }

    const serverEnds: PlayedGame["serverEnds"] = [];
    async function endServers(): Promise<void> {
      for (const end of plan.serverEnds) {
        await until(end.atMs);
        const signalledAt = Date.now();
        const { child, exited } = servers[end.server]!;
        child.kill(end.signal);
        const { code } = await exited;
        serverEnds.push({ ...end, signalledAt, tookMs: Date.now() - signalledAt, code });
        servers[end.server] = await startServer(socketPaths[end.server]!);
      }
    }

    async function changeCluster(): Promise<void> {
      for (const event of plan.clusterEvents ?? []) {
        await until(event.atMs);
        await change(cluster!, event);
      }
    }

    const [asked] = await Promise.all([answered, cut(), endServers(), changeCluster()]);
    const questions = await readLogs(redis, asked);
    const journal = readFileSync(journalPath, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line): JournalLine => JSON.parse(line));
    const durationMs = Date.now() - startedAt;
    const errorOutputs = processes.map(({ errorOutput }) => errorOutput).filter((text) => text !== "");
    return { plan, durationMs, questions, journal, cuts, serverEnds, errorOutputs };
  } finally {
    for (const resource of opened.reverse()) await resource.close();
  }
}

async function change(cluster: RedisCluster, { type, which }: ClusterEvent): Promise<void> {
  if (type === "failover") return cluster.failOver(cluster.nodes[which + 3]!);
  const keys = await Promise.all(
    cluster.nodes.map(async (node) => (await node.command("KEYS", "*:session:*")) as string[]),
  );
  const sorted = [...new Set(keys.flat())].sort();
  const key = sorted[Math.floor(which * sorted.length)];
  if (key === undefined) return;
  const source = await cluster.masterOf(key);
  const masters = await cluster.masters();
  await cluster.moveSlotOf(key, masters[(masters.indexOf(source) + 1) % masters.length]!, () => delay(10));
}

/** The logs of all questions after their runs are over. Ends a run that has lost its writer and has no follower. */
async function readLogs(redis: RedisAddress, asked: AskedQuestion[]): Promise<PlayedGame["questions"]> {
  const client = await connectToRedis(redis);
  const store = createRedisRunStore({ client });
  const deadline = Date.now() + leaseMs + graceMs + slackMs;
  try {
    return await Promise.all(
      asked.map(async (one) => {
        const { runId } = (await store.latest(ownerOf(one.question), sessionOf(one.question))) ?? {};
        if (runId === undefined) return { ...one, log: undefined };
        for (;;) {
          const page = await store.read(runId, -1, Number.MAX_SAFE_INTEGER);
          const isEnded = page!.run.terminal !== undefined;
          if (isEnded || Date.now() > deadline) {
            const entries = page!.entries.map((json): StreamChunk => JSON.parse(json));
            return { ...one, log: { runId, entries, isEnded } };
          }
          await delay(500);
          await store.endIfLeaseExpired(runId);
        }
      }),
    );
  } finally {
    await store.close();
    client.destroy();
  }
}
