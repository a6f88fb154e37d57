/** The targets: ratios within one round, and the median over the rounds. */
import type { Results } from "../harness/run-rounds.ts";
import { median, percentile } from "../harness/statistics.ts";
import { fastestPeer } from "./run-record.ts";

/**
 * One target a line: its id in `reasons.ts`, what it is, what it must reach and could (`>=` or `<=`), its unit; and where
 * its number comes from: workload, measure, and whose, or whose over (`/`) or less (`-`) whose. `fastest` is the best peer.
 * The measures `smallest` and `p5` stand for the smallest and the 5th percentile of all measures of the workload.
 */
const table = `
sync-limit | \`toSSE\`, synchronous source: fraction of the limit | >= 0.85 | 1 | | encode text sync | ns | limit / kortyx
sync-ai | … times as fast as the AI SDK | >= 5 | 8 | × | encode text sync | ns | ai-sdk / kortyx
sync-peer | … as the fastest peer | >= 2.5 | 4 | × | encode text sync | ns | fastest / kortyx
burst-limit | \`toSSE\`, bursts of 16: fraction of the limit | >= 0.6 | 0.8 | | encode text burst16 | ns | limit / kortyx
burst-ai | … times as fast as the AI SDK | >= 3.5 | 5 | × | encode text burst16 | ns | ai-sdk / kortyx
burst-peer | … as the fastest peer | >= 1.8 | 2.7 | × | encode text burst16 | ns | fastest / kortyx
alone-ai | \`toSSE\`, one chunk per macrotask: times as fast as the AI SDK | >= 1.4 | 2.3 | × | encode text alone | ns | ai-sdk / kortyx
alone-peer | … as the fastest peer | >= 0.85 | 1.2 | × | encode text alone | ns | fastest / kortyx
mixed-limit | \`toSSE\`, mixed, bursts of 16: fraction of the limit | >= 0.8 | 0.95 | | encode mixed burst16 | ns | limit / kortyx
send-shape | \`toSSE\`, every shape of chunk: the smallest fraction of the limit | >= 0.6 | 0.8 | | fraction encode shapes | smallest | kortyx
send-random | … 100 chunks drawn from the schemas: 5th percentile | >= 0.5 | 0.7 | | fraction encode random | p5 | kortyx
send-agent | … as an agent sends them, bursts of 16: fraction of the limit | >= 0.6 | 0.8 | | encode agent burst16 | ns | limit / kortyx
wrapped | chunks of a burst of 16 that travel together, through 4 wrapping generators | >= 15 | | | encode text wrapped | chunksPerPiece | kortyx
read-limit | \`readStream\`, 16 KiB pieces: fraction of the unvalidated limit | >= 0.85 | 1 | | decode text 16384 | ns | limit / kortyx
read-ai | … times as fast as the AI SDK | >= 6 | 8 | × | decode text 16384 | ns | ai-sdk / kortyx
read-ag-ui | … as AG-UI | >= 5 | 6.5 | × | decode text 16384 | ns | ag-ui / kortyx
read-assistant | … as assistant-stream | >= 2.5 | 3.3 | × | decode text 16384 | ns | assistant-stream / kortyx
read-shape | \`readStream\`, every shape of chunk: the smallest fraction of the limit | >= 0.6 | 0.8 | | fraction decode shapes | smallest | kortyx
read-random | … 100 chunks drawn from the schemas: 5th percentile | >= 0.5 | 0.7 | | fraction decode random | p5 | kortyx
read-mixture | … as an agent sends them: fraction of the limit | >= 0.6 | 0.8 | | decode agent 16384 | ns | limit / kortyx
read-parser | \`readStream\`, one frame per read: over eventsource-parser and a bare \`JSON.parse\`, text | >= 0.95 | 1 | × | decode text frame | ns | eventsource-parser / kortyx
read-parser-agent | … as an agent sends them | >= 0.95 | 1 | × | decode agent frame | ns | eventsource-parser / kortyx
read-frame | \`readStream\`, one frame per read: fraction of the limit | >= 0.9 | 1.1 | | decode text frame | ns | limit / kortyx
read-7 | \`readStream\`, 7-byte pieces: fraction of the limit | >= 1 | 1.3 | | decode text 7 | ns | limit / kortyx
validation | validating every chunk, 16 KiB pieces: time over reading unvalidated | <= 1.15 | 1.05 | × | validate text | ns | kortyx / kortyx/unchecked
http-send | HTTP at full speed, server CPU over \`res.write\`: \`sendStream\` | <= 0.6 | 0.5 | × | http full | cpuUs | kortyx/node / limit/node
http-hono | … \`toSSE\` through Hono's Node server | <= 0.8 | 0.6 | × | http full | cpuUs | kortyx/hono / limit/node
paced-send | 500 paced clients, server CPU over \`res.write\`: \`sendStream\` | <= 1.2 | 1 | × | http paced | cpuUs | kortyx/node / limit/node
paced-hono | … \`toSSE\` through Hono's Node server | <= 1.5 | 1.3 | × | http paced | cpuUs | kortyx/hono / limit/node
heap | heap per idle open stream, heartbeats on: \`sendStream\` | <= 12 | 8 | KB | http idle | heapKB | kortyx/node
heap-hono | … \`toSSE\` through Hono's Node server | <= 12 | 8 | KB | http idle | heapKB | kortyx/hono
left | … left when \`sendStream\` has closed, beside what \`res.write\` leaves | <= 0.1 | | KB | http idle | leftKB | kortyx/node - limit/node
first-send | first chunk of 500 clients, p50 over \`res.write\`: \`sendStream\` | <= 1.5 | 1.2 | × | http paced | firstP50Ms | kortyx/node / limit/node
first-hono | … \`toSSE\` through Hono's Node server | <= 1.5 | 1.2 | × | http paced | firstP50Ms | kortyx/hono / limit/node
big | one 8 MiB event in 1 KiB pieces: over bare eventsource-parser | <= 2 | 1.2 | × | big-event | ms | kortyx / eventsource-parser
big-linear | … over 4 MiB; linear is 2 | <= 2.6 | | × | big-event | growth | kortyx
adapt-openai-chat | \`fromOpenAIChat\`: CPU over iterating the SDK's stream | <= 1.5 | 1.2 | × | adapter in | ratio | from-openai-chat
adapt-openai-responses | … \`fromOpenAIResponses\` | <= 1.5 | 1.2 | × | adapter in | ratio | from-openai-responses
adapt-anthropic | … \`fromAnthropic\` | <= 1.5 | 1.2 | × | adapter in | ratio | from-anthropic
adapt-ai-sdk | … \`fromAISDK\` | <= 1.5 | 1.2 | × | adapter in | ratio | from-ai-sdk
adapt-ag-ui | … \`fromAGUI\` | <= 1.5 | 1.2 | × | adapter in | ratio | from-ag-ui
adapt-langgraph | … \`fromLangGraph\` | <= 1.5 | 1.2 | × | adapter in | ratio | from-langgraph
adapt-langgraph-server | … \`fromLangGraph\`, of a server | <= 1.5 | 1.2 | × | adapter in | ratio | from-langgraph-server
to-ai-sdk | \`toAISDK\`: CPU over the AI SDK's own writer | <= 1.2 | 1 | × | adapter out | ratio | to-ai-sdk
route-ai-sdk | a whole answer with \`aiSDKWire\`: CPU over a route of the AI SDK | <= 1.2 | 1 | × | adapter route | ratio | route-ai-sdk
cold-import | importing the server, over zod alone | <= 1.2 | 1.1 | × | cold import | ms | kortyx / zod
cold-answer | import, first request and first answer: times as fast as the AI SDK | >= 1 | 1.2 | × | cold answer | ms | ai-sdk / kortyx
cold-read-ai | import and the first 1,000 chunks read: times as fast as the AI SDK | >= 1 | 3 | × | cold read | ms | ai-sdk / kortyx
cold-read | … as assistant-stream | >= 1 | 2 | × | cold read | ms | assistant-stream / kortyx
first-memory | first durable token over the plain one: memory | <= 2 | 1 | ms | runs memory | firstTokenExtraMs | kortyx
first-sqlite | … SQLite | <= 5 | 2 | ms | runs sqlite | firstTokenExtraMs | kortyx
first-redis | … Redis | <= 5 | 2 | ms | runs redis | firstTokenExtraMs | kortyx
redis-append | Redis append, 200 runs at 50 tokens/s: our CPU per chunk | <= 60 | 30 | µs | runs redis | appendUs | kortyx
chat | \`createChat\`, 10,000 deltas: store work per delta | <= 3 | 1 | µs | chat 10000 | us | kortyx/chat
chat-linear | … of 20,000 deltas over that; linear is 1 | <= 1.5 | | × | chat 10000 | growth | kortyx/chat
chat-frames | … notifications per frame | <= 1 | | | chat 10000 | perFrame | kortyx/chat
`;

export interface Target {
  id: string;
  what: string;
  isHigherBetter: boolean;
  must: number;
  stretch: number | undefined;
  unit: string;
  workload: string;
  measure: string;
  formula: string[];
}

export const targets: Target[] = table
  .trim()
  .split("\n")
  .map((line) => {
    const [
      id = "",
      what = "",
      goal = "",
      stretch = "",
      unit = "",
      workload = "",
      measure = "",
      formula = "",
    ] = line.split("|").map((cell) => cell.trim());
    const [relation, must] = goal.split(" ");
    const goals = { must: Number(must), stretch: stretch === "" ? undefined : Number(stretch) };
    return {
      id,
      what,
      isHigherBetter: relation === ">=",
      ...goals,
      unit,
      workload,
      measure,
      formula: formula.split(" "),
    };
  });

export interface Outcome {
  values: number[];
  median: number;
  /** Who `fastest` is, or what `smallest` is of. */
  peer: string | undefined;
  verdict: "stretch" | "met" | "MISSED" | "not measured";
}

export function assess(target: Target, results: Results, rounds: number): Outcome {
  const { workload, measure, formula } = target;
  if (measure === "smallest" || measure === "p5") return assessAll(target, results);
  const measured = results[workload] ?? {};
  const peer = formula[0] === "fastest" ? fastestPeer(results, workload, measure) : undefined;
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const of = (name: string): number => measured[name]?.[round]?.[measure] ?? Number.NaN;
    const [left = "", operator, right = ""] = formula;
    const value = of(peer ?? left);
    const result = operator === "/" ? value / of(right) : operator === "-" ? value - of(right) : value;
    if (Number.isFinite(result)) values.push(result);
  }
  return judge(target, values, peer);
}

/** The smallest, or the 5th percentile, of the medians of all measures; `peer` is the measure's name. */
function assessAll(target: Target, results: Results): Outcome {
  const { workload, measure, formula } = target;
  const rounds = (results[workload]?.[formula[0]!] ?? []).filter((round) => round !== null);
  const names = Object.keys(rounds[0] ?? {});
  const middles = names.map((name) => median(rounds.map((round) => round[name]!)));
  if (names.length === 0) return judge(target, [], undefined);
  if (measure === "p5") return judge(target, [percentile(middles, 0.05)], undefined);
  const name = names[middles.indexOf(Math.min(...middles))]!;
  return judge(
    target,
    rounds.map((round) => round[name]!),
    name,
  );
}

function judge(
  { must, stretch, isHigherBetter }: Target,
  values: number[],
  peer: string | undefined,
): Outcome {
  const middle = median(values);
  const reaches = (goal: number | undefined): boolean =>
    goal !== undefined && (isHigherBetter ? middle >= goal : middle <= goal);
  const verdict = reaches(stretch) ? "stretch" : reaches(must) ? "met" : "MISSED";
  return { values, median: middle, peer, verdict: values.length === 0 ? "not measured" : verdict };
}
