/** Who takes part in what. A new peer is a file in `implementations/` and its name here. */
import type { Contest } from "./harness/run-rounds.ts";

const encoders = "limit kortyx ai-sdk tanstack-ai ag-ui assistant-stream better-sse hono trpc".split(" ");
const decoders =
  "limit kortyx ai-sdk tanstack-ai ag-ui assistant-stream openai eventsource-parser eventsource-parser-stream".split(
    " ",
  );
const servers = [
  ..."limit/node kortyx/node kortyx/hono kortyx/bridge ai-sdk/node ai-sdk/hono tanstack-ai/hono".split(" "),
  ..."ag-ui/node assistant-stream/hono better-sse/node hono/hono trpc/node".split(" "),
];
const cutters = "limit kortyx ai-sdk ag-ui assistant-stream eventsource-parser".split(" ");

/** Each is measured beside its SDK, in one process. */
const adapters = {
  in: "openai-chat openai-responses anthropic ai-sdk ag-ui langgraph langgraph-server".split(" "),
  out: "ai-sdk ag-ui".split(" "),
  route: "ai-sdk ag-ui".split(" "),
};
const adapterNames = (direction: keyof typeof adapters, prefix: string): string[] =>
  adapters[direction].map((name) => `${prefix}-${name}`);

const idlePeers = "ai-sdk/hono better-sse/node hono/hono trpc/node".split(" ");
/** With one event of 8 MiB these take 20 to 40 ms, and those half a minute. */
const linear = "ai-sdk assistant-stream openai eventsource-parser-stream".split(" ");
const quadratic = "ag-ui tanstack-ai".split(" ");

const isOurs = (name: string): boolean => /^(limit|kortyx)\b/.test(name);
export const isPeer = (name: string): boolean => !isOurs(name);
const ours = (names: string[]): string[] => names.filter(isOurs);
const peers = (names: string[]): string[] => names.filter(isPeer);
/** Their chunks are texts alone. */
const withoutMixed = (names: string[]): string[] => names.filter((name) => name !== "assistant-stream");

export interface Plan {
  rounds: number;
  /** How long one process measures, after its warm-up. */
  budgetMs: number;
  contests: Contest[];
}

/** @param slow - Whether those take part, too, that take long. */
const contests = (slow: boolean): Contest[] => [
  { workload: "encode text sync", implementations: encoders },
  { workload: "encode text burst16", implementations: encoders },
  { workload: "encode text alone", implementations: encoders },
  { workload: "encode mixed burst16", implementations: withoutMixed(encoders) },
  { workload: "encode agent burst16", implementations: withoutMixed(encoders) },
  { workload: "encode agent alone", implementations: withoutMixed(encoders) },
  { workload: "encode text wrapped", implementations: ["kortyx"], maxRounds: 1 },
  { workload: "decode text 16384", implementations: decoders },
  { workload: "decode text frame", implementations: cutters },
  { workload: "decode text 7", implementations: cutters },
  { workload: "decode mixed 16384", implementations: withoutMixed(decoders) },
  { workload: "decode agent 16384", implementations: withoutMixed(decoders) },
  { workload: "decode agent frame", implementations: withoutMixed(cutters) },
  { workload: "fraction encode shapes", implementations: ["kortyx"], maxRounds: 3 },
  { workload: "fraction decode shapes", implementations: ["kortyx"], maxRounds: 3 },
  { workload: "fraction encode random", implementations: ["kortyx"], maxRounds: 1 },
  { workload: "fraction decode random", implementations: ["kortyx"], maxRounds: 1 },
  { workload: "validate text", implementations: ["kortyx", "kortyx/unchecked"] },
  { workload: "validate mixed", implementations: ["kortyx", "kortyx/unchecked"] },
  { workload: "big-event", implementations: ["kortyx", "eventsource-parser"] },
  { workload: "big-event", implementations: slow ? [...linear, ...quadratic] : linear, maxRounds: 1 },
  { workload: "http full", implementations: servers },
  { workload: "http paced", implementations: [...ours(servers), "ai-sdk/hono", "hono/hono"] },
  { workload: "http idle", implementations: ours(servers), maxRounds: 3 },
  { workload: "http idle", implementations: slow ? peers(servers) : idlePeers, maxRounds: 1 },
  { workload: "cold import", implementations: ["zod", "kortyx", "ai-sdk", "assistant-stream"] },
  { workload: "cold answer", implementations: ["kortyx", "ai-sdk", "assistant-stream"] },
  {
    workload: "cold read",
    implementations: "kortyx eventsource-parser ai-sdk assistant-stream openai".split(" "),
  },
  { workload: "chat 10000", implementations: ["kortyx/chat"] },
  { workload: "chat 10000", implementations: ["kortyx", "ai-sdk", "assistant-stream"], maxRounds: 1 },
  { workload: "adapter in", implementations: adapterNames("in", "from"), maxRounds: 3 },
  { workload: "adapter out", implementations: adapterNames("out", "to"), maxRounds: 3 },
  { workload: "adapter route", implementations: adapterNames("route", "route"), maxRounds: 3 },
  { workload: "runs memory", implementations: ["kortyx"] },
  { workload: "runs sqlite", implementations: ["kortyx"] },
  { workload: "runs redis", implementations: ["kortyx"] },
];

const inQuick = /^(limit|kortyx|ai-sdk|ag-ui|hono|eventsource-parser)(?!-)|^(from|to|route)-/;
const quickContests: Contest[] = contests(false)
  .filter(
    ({ workload, implementations }) =>
      !(/idle|big-event|chat/.test(workload) && implementations.every(isPeer)),
  )
  .map((contest) => ({
    ...contest,
    implementations: contest.implementations.filter((name) => inQuick.test(name)),
  }));

export const plans = {
  default: { rounds: 5, budgetMs: 400, contests: contests(false) },
  full: { rounds: 7, budgetMs: 900, contests: contests(true) },
  quick: { rounds: 1, budgetMs: 150, contests: quickContests },
  /** Needs nothing but our packages. */
  guard: {
    rounds: 3,
    budgetMs: 300,
    contests: [
      { workload: "encode text sync", implementations: ["limit", "kortyx"] },
      { workload: "encode text burst16", implementations: ["limit", "kortyx"] },
      { workload: "decode text 16384", implementations: ["limit", "kortyx"] },
      { workload: "decode text frame", implementations: ["limit", "kortyx"] },
      { workload: "fraction encode shapes", implementations: ["kortyx"], maxRounds: 1 },
      { workload: "fraction decode shapes", implementations: ["kortyx"], maxRounds: 1 },
      { workload: "http full", implementations: ["limit/node", "kortyx/node"] },
    ],
  },
} satisfies Record<string, Plan>;
