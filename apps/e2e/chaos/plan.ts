/**
 * The events of one game of chaos, drawn from a seed: the questions of each client and their times, the clients that
 * reload or stop, the connections that are cut, and the servers that end. Pure: the same seed gives the same plan.
 */

import type { StreamChunk } from "@kortyx/client";
import { createSeededRandom } from "../seeded-random.ts";

export const serverCount = 3;
const clientCount = 30;

/** One question to the agent, sent as the text of the user's message. */
export interface Question {
  client: number;
  number: number;
  words: number;
  everyMs: number;
  /** The agent is silent for this long in the middle of its answer, inside a tool call. */
  quietMs: number;
}

/** Each client is a user, and each of its questions has a separate session. */
export const ownerOf = ({ client }: Question) => `user-${client}`;
export const sessionOf = ({ client, number }: Question) => `session-${client}-${number}`;

/** The user's action while the answer arrives; `afterChunks` is 0 for an action at once. */
export type Action =
  | { type: "read" }
  | { type: "stop"; afterChunks: number }
  | { type: "reload"; afterChunks: number; absentMs: number };

export interface PlannedQuestion {
  question: Question;
  /** The wait before it is asked: after the start, or after the previous answer. */
  waitMs: number;
  action: Action;
}

/** Ends a server, which is then started again at the same address. */
export interface ServerEnd {
  atMs: number;
  server: number;
  signal: "SIGKILL" | "SIGTERM";
}

export interface ChaosPlan {
  seed: number;
  /** The questions of each client, in order. */
  clients: PlannedQuestion[][];
  /** The time of each cut, and its connection as a fraction of the open ones. */
  cuts: { atMs: number; which: number }[];
  /** Each begins at its time, but not before the previous one is over. */
  serverEnds: ServerEnd[];
  /** What happens to a cluster of Redis; a plan without it is played on one server. */
  clusterEvents?: ClusterEvent[];
}

/** A slot of some user moves to another master, or a master hands all of its slots to its replica. */
export interface ClusterEvent {
  atMs: number;
  type: "move" | "failover";
  /** One of the users' slots, as a fraction of them, or the number of the master. */
  which: number;
}

/** Cuts, one crash and one deploy. */
export function planChaos(seed: number): ChaosPlan {
  const random = createRandom(seed);
  const killed = random.below(serverCount);
  const cuts = Array.from({ length: 90 }, () => ({
    atMs: random.between(500, 14_000),
    which: random.next(),
  }));
  return {
    seed,
    clients: planClients(random),
    cuts: cuts.sort((left, right) => left.atMs - right.atMs),
    serverEnds: [
      { atMs: random.between(2_500, 5_000), server: killed, signal: "SIGKILL" },
      { atMs: random.between(6_000, 9_000), server: (killed + 1) % serverCount, signal: "SIGTERM" },
    ],
  };
}

/** The same on a cluster of Redis, five slots of which move before and after each of two failovers. */
export function planClusterChaos(seed: number): ChaosPlan {
  const random = createRandom(seed);
  const moves = Array.from({ length: 10 }, () => ({
    atMs: random.between(1_000, 12_000),
    type: "move" as const,
    which: random.next(),
  }));
  const failovers = [0, 1].map((which) => ({
    atMs: random.between(3_000, 10_000),
    type: "failover" as const,
    which,
  }));
  const clusterEvents = [...moves, ...failovers].sort((left, right) => left.atMs - right.atMs);
  return { ...planChaos(seed), clusterEvents };
}

/** A deploy: the servers are replaced one after the other. Nothing else happens. */
export function planRollingRestart(seed: number): ChaosPlan {
  const random = createRandom(seed);
  const clients = planClients(random).map((questions) =>
    questions.map((planned) => ({ ...planned, action: { type: "read" } as const })),
  );
  const serverEnds = Array.from({ length: serverCount }, (_, server) => ({
    atMs: 2_000,
    server,
    signal: "SIGTERM" as const,
  }));
  return { seed, clients, cuts: [], serverEnds };
}

function planClients(random: Random): PlannedQuestion[][] {
  return Array.from({ length: clientCount }, (_, client) =>
    [0, 1].map((number) => ({
      question: {
        client,
        number,
        words: random.between(20, 60),
        everyMs: random.between(40, 150),
        quietMs: random.below(2) * random.between(500, 3_000),
      },
      waitMs: random.between(0, number === 0 ? 3_000 : 500),
      action: planAction(random),
    })),
  );
}

function planAction(random: Random): Action {
  const dice = random.below(10);
  const afterChunks = random.below(4) === 0 ? 0 : random.between(1, 30);
  if (dice < 2) return { type: "stop", afterChunks };
  if (dice < 5) return { type: "reload", afterChunks, absentMs: random.between(0, 2_000) };
  return { type: "read" };
}

/** The agent's whole answer if nothing ends it early. */
export function answerTo({ client, number, words, quietMs }: Question): StreamChunk[] {
  const text = (from: number, to: number): StreamChunk[] =>
    Array.from({ length: to - from }, (_, word) => ({
      type: "text-delta",
      delta: `${client}.${number}.${from + word} `,
    }));
  const half = Math.floor(words / 2);
  const call = { toolCallId: `call-${client}-${number}`, tool: "search" };
  const search: StreamChunk[] = [
    { type: "tool-call-start", ...call, input: { quietMs } },
    { type: "tool-call-result", ...call, content: "found" },
  ];
  return [...text(0, half), ...search, ...text(half, words), { type: "done", finishReason: "stop" }];
}

interface Random {
  /** From 0 up to, but not including, 1. */
  next(): number;
  /** A whole number from 0 up to, but not including, `limit`. */
  below(limit: number): number;
  /** A whole number, both bounds included. */
  between(least: number, most: number): number;
}

function createRandom(seed: number): Random {
  const next = createSeededRandom(seed);
  const below = (limit: number) => Math.floor(next() * limit);
  return { next, below, between: (least, most) => least + below(most - least + 1) };
}
