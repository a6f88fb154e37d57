/** The sizes that a number of concurrent answers needs, from the cost of one. docs/scaling.md shows the formulas. */
import type { ValueOf } from "./tables.ts";

export type Kind = "plain" | "memory" | "sqlite" | "redis";

/** What is assumed of the answers and of the machines. */
export const load = {
  chunksPerSecond: 20,
  answerSeconds: 30,
  retentionSeconds: 15 * 60,
  /** The share of a core that a server process may use. */
  processShare: 0.6,
  /** The share of its core that a master of Redis may use. */
  redisShare: 0.5,
};

interface ServerSize {
  processes: number;
  /** Of each process. */
  streams: number;
  memoryBytes: number;
  files: number;
  /** Of all processes. */
  clientBytesPerSecond: number;
}

interface Size {
  answers: number;
  plain: ServerSize;
  redis: ServerSize;
  scriptsPerSecond: number;
  redisNodes: number;
  redisBytes: number;
  redisBytesPerSecond: number;
  /** Of each master. */
  redisConnections: number;
}

export interface Model {
  streamsOfCore(kind: Kind): number;
  size(answers: number): Size;
}

/** File descriptors of a process that are neither streams nor connections to Redis. */
const otherFiles = 100;
/** Of a process to each master: one for commands and one to listen. */
const redisConnections = 2;
/** The heap needs room for garbage. */
const heapFactor = 2;

export function createModel(of: ValueOf, assumed: typeof load = load): Model {
  const { chunksPerSecond, answerSeconds, retentionSeconds, processShare, redisShare } = assumed;
  const usPerSecond = (kind: Kind) =>
    chunksPerSecond * of(`server.${kind}.shortUs`) + of(`server.${kind}.answerUs`) / answerSeconds;
  /** For each second of an answer. */
  const redis = (name: string) =>
    chunksPerSecond * of(`redis.followed1.${name}`) + of(`redis.answer.${name}`) / answerSeconds;

  function sizeServers(kind: Kind, answers: number, masters = 0): ServerSize {
    const processes = Math.ceil((answers * usPerSecond(kind)) / (processShare * 1e6));
    const streams = answers / processes;
    return {
      processes,
      streams,
      memoryBytes: of(`server.${kind}.baseBytes`) + streams * of(`server.${kind}.idleHeapBytes`) * heapFactor,
      files: streams + masters * redisConnections + otherFiles,
      clientBytesPerSecond: answers * chunksPerSecond * of(`server.${kind}.shortBytes`),
    };
  }

  return {
    streamsOfCore: (kind) => 1e6 / usPerSecond(kind),
    size(answers) {
      const redisNodes = Math.ceil((answers * redis("cpuUs")) / (redisShare * 1e6));
      const servers = sizeServers("redis", answers, redisNodes);
      // Runs in progress, and ended ones until they are deleted.
      const keptRuns = answers * (1 + retentionSeconds / answerSeconds);
      const chunks = chunksPerSecond * answerSeconds;
      return {
        answers,
        plain: sizeServers("plain", answers),
        redis: servers,
        scriptsPerSecond: answers * redis("scripts"),
        redisNodes,
        redisBytes: keptRuns * (of("redis.memory.runBytes") + chunks * of("redis.memory.chunkBytes")),
        redisBytesPerSecond: answers * (redis("bytesIn") + redis("bytesOut")),
        redisConnections: servers.processes * redisConnections,
      };
    },
  };
}
