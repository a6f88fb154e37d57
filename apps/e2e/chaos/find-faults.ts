/**
 * Decides whether a game kept the guarantees: every run has one terminal, every page has its whole log, or the part
 * that its user chose to read, no agent is called twice for a question, and no process writes to stderr.
 */
import { isDeepStrictEqual } from "node:util";
import type { StreamChunk } from "@kortyx/client";
import { answerTo } from "./plan.ts";
import { graceMs, leaseMs, type PlayedGame, slackMs } from "./play-chaos.ts";

type PlayedQuestion = PlayedGame["questions"][number];

/** A crash, a deploy and a cut can hit the same question; more than one question in twelve is a fault. */
const maxUnanswered = 5;

/**
 * On a busy machine, a reply from Redis may take longer than 2 s. The route logs that; the client repeats its request,
 * and the result on its page is checked.
 */
const withoutLateRedis = (output: string): string =>
  output.replace(/^The run store failed \(store-unavailable, .*Redis did not reply .*\n( +at .*\n)*/gm, "");

const isTerminal = ({ type }: StreamChunk) => type === "done" || type === "abort" || type === "error";

/** @returns the faults, one sentence each. */
export function findFaults(game: PlayedGame): string[] {
  const { plan, questions, journal, serverEnds, errorOutputs } = game;
  const ways = new Set(plan.serverEnds.map(({ signal }) => signal));
  const faults = questions.flatMap((played) => {
    const { question, action } = played;
    const name = `client ${question.client}, question ${question.number} (${action.type})`;
    return [...checkLog(played, ways), ...checkPages(played)].map((fault) => `${name}: ${fault}`);
  });

  const asked = journal.flatMap((line) =>
    "asked" in line ? [`${line.asked.client}.${line.asked.number}`] : [],
  );
  for (const question of new Set(asked)) {
    const times = asked.filter((other) => other === question).length;
    if (times > 1) faults.push(`question ${question}: the agent was called ${times} times.`);
  }
  const known = new Set(questions.map(({ log }) => log?.runId));
  for (const line of journal) {
    if ("runId" in line && !known.has(line.runId)) faults.push(`${line.owner}: a second run, ${line.runId}.`);
  }
  for (const { server, signal, code } of serverEnds) {
    if (signal === "SIGTERM" && code !== 0) faults.push(`server ${server} drained and exited with ${code}.`);
  }
  const { lateMs } = measure(game);
  if (lateMs > leaseMs + graceMs + slackMs)
    faults.push(`producer-lost arrived ${lateMs} ms after the crash.`);
  const unanswered = questions.filter(({ pages }) => pages.at(-1)!.ending === "unanswered").length;
  if (unanswered > maxUnanswered) faults.push(`${unanswered} questions got no response.`);
  for (const output of errorOutputs.map(withoutLateRedis)) {
    if (output !== "") faults.push(`a process wrote to stderr: ${output}`);
  }
  return faults;
}

function checkLog({ question, action, log }: PlayedQuestion, ways: Set<string>): string[] {
  if (log === undefined) return [];
  const { entries, isEnded } = log;
  const terminals = entries.filter(isTerminal);
  const last = entries.at(-1);
  if (terminals.length !== 1 || terminals[0] !== last || !isEnded)
    return [`the log has ${terminals.length} terminals and ends with ${JSON.stringify(last)}.`];
  const [first, ...rest] = entries;
  const yielded = first?.type === "run-start" ? rest.slice(0, -1) : entries.slice(0, -1);
  const whole = answerTo(question);
  const expected = terminals[0]!.type === "done" ? whole : [...whole.slice(0, yielded.length), terminals[0]];
  const faults: string[] = [];
  if (!isDeepStrictEqual([...yielded, terminals[0]], expected))
    faults.push("the log differs from the chunks that the agent yielded.");
  const ending = nameEnding(last);
  const isDocumented =
    ending === "done" ||
    (ending === "stopped" && action.type === "stop") ||
    (ending === "shutdown" && ways.has("SIGTERM")) ||
    (ending === "producer-lost" && ways.has("SIGKILL"));
  if (!isDocumented) faults.push(`the run ended with ${JSON.stringify(last)}.`);
  return faults;
}

function checkPages({ action, isStopped, pages, log }: PlayedQuestion): string[] {
  const entries = log?.entries ?? [];
  const faults: string[] = [];
  for (const [index, { chunks, ending, longestSilenceMs }] of pages.entries()) {
    if (!isDeepStrictEqual(chunks, entries.slice(0, chunks.length)))
      faults.push(`page ${index} differs from the log: ${describeDifference(chunks, entries)}`);
    const isLeft = index < pages.length - 1;
    // If the page was closed or stopped at once, its question may never have reached a server.
    const isUnasked = pages[0]!.chunks.length === 0 && (isLeft || action.type === "reload" || isStopped);
    // If a stop is accepted and the rest of the answer is late, the answer ends with the chunks received so far.
    const isStoppedHere = isStopped && ending === "open";
    if (ending === "hangs")
      faults.push(`page ${index} hangs: it received nothing for ${longestSilenceMs} ms.`);
    else if (isLeft || isStoppedHere || (ending === "nothing" && isUnasked)) continue;
    else if (ending === "unanswered") continue;
    else if (ending !== "terminal") faults.push(`page ${index} ended with ${JSON.stringify(ending)}.`);
    else if (chunks.length !== entries.length)
      faults.push(`page ${index} has ${chunks.length} of ${entries.length} chunks.`);
  }
  return faults;
}

function describeDifference(chunks: StreamChunk[], entries: StreamChunk[]): string {
  const at = chunks.findIndex((chunk, index) => !isDeepStrictEqual(chunk, entries[index]));
  return `chunk ${at} is ${JSON.stringify(chunks[at])}, the entry ${JSON.stringify(entries[at])}.`;
}

function nameEnding(chunk: StreamChunk | undefined): string {
  if (chunk?.type === "abort") return chunk.reason ?? "abort";
  if (chunk?.type === "error") return chunk.code ?? "error";
  return chunk?.type ?? "nothing";
}

function measure({ questions, serverEnds }: PlayedGame) {
  const pages = questions.flatMap(({ pages }) => pages);
  const killedAt = serverEnds.find(({ signal }) => signal === "SIGKILL")?.signalledAt ?? 0;
  const lostAt = pages
    .filter(({ chunks }) => nameEnding(chunks.at(-1)) === "producer-lost")
    .map(({ endedAt }) => endedAt - killedAt);
  return {
    lateMs: Math.max(0, ...lostAt),
    silenceMs: Math.max(0, ...pages.map(({ longestSilenceMs }) => longestSilenceMs)),
    reconnects: pages.reduce((sum, { reconnects }) => sum + reconnects, 0),
  };
}

/** A summary of the game in one line. */
export function summarize(game: PlayedGame): string {
  const { plan, questions, cuts, durationMs, serverEnds } = game;
  const { lateMs, silenceMs, reconnects } = measure(game);
  const endings: Record<string, number> = {};
  for (const { log } of questions) {
    const ending = nameEnding(log?.entries.at(-1));
    endings[ending] = (endings[ending] ?? 0) + 1;
  }
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  return [
    `seed ${plan.seed}: ${questions.length} questions in ${seconds(durationMs)}`,
    `${cuts} cuts, ${reconnects} reconnects`,
    Object.entries(endings)
      .map(([ending, count]) => `${count} ${ending}`)
      .join(", "),
    serverEnds.map(({ signal, tookMs }) => `${signal} took ${seconds(tookMs)}`).join(", "),
    `longest silence ${seconds(silenceMs)}`,
    ...(lateMs > 0 ? [`producer-lost at most ${seconds(lateMs)} after the crash`] : []),
  ].join("; ");
}
