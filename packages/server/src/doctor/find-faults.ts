/**
 * The faults of a path, each with its evidence, the likely culprit and the fix: bytes that are held back, cuts, caches, and
 * runs that cannot be resumed.
 */
import { heartbeatTolerance, measureArrival, seconds, slackMs } from "./arrival.ts";
import { blame } from "./blame.ts";
import type { Examination } from "./examine-route.ts";
import { type Finding, fault, note, pages } from "./finding.ts";

/** @param direct - The examination of the same route without the proxies. */
export function findFaults(examination: Examination, direct: Examination | undefined): Finding[] {
  return [
    findDelay(examination, direct) ?? findBursts(examination, direct),
    findCut(examination),
    findCache(examination),
    findLostRun(examination),
  ].filter((finding) => finding !== undefined);
}

const noTransform =
  '`headers: { "cache-control": "no-cache, no-transform" }` in the options of the route: most proxies then compress nothing';

/** Bytes are late in the same way if the handler itself holds them back. */
function blameForBuffering(headers: Record<string, string>, direct: Examination | undefined) {
  const { culprit, fixes } = blame(headers, "buffering");
  const remark = "A handler that collects the answer first does the same: --direct shows which.";
  return { culprit: direct === undefined ? `${culprit} ${remark}` : culprit, fixes, page: pages.proxies };
}

function findDelay(examination: Examination, direct: Examination | undefined): Finding | undefined {
  const { answer, plainAnswer } = examination;
  const { delay, firstByteMs } = measureArrival(answer, examination);
  if (delay === undefined) {
    if (firstByteMs !== undefined || answer.end !== "left") return undefined;
    const what = `Nothing of the answer arrived in ${seconds(answer.endMs)}.`;
    return fault("held-back", what, blameForBuffering(answer.headers, direct));
  }
  const what = `The answer is held back: ${delay.evidence}.`;
  const plain = plainAnswer && measureArrival(plainAnswer, examination);
  const isCompression = plain !== undefined && plain.delay === undefined && plain.isSpread;
  if (!isCompression) {
    return fault("held-back", what, blameForBuffering(answer.headers, direct));
  }
  const { culprit, fixes } = blame(answer.headers, "compression");
  const encoding = answer.headers["content-encoding"];
  return fault("held-back-by-compression", what, {
    culprit: `The compression (${encoding}): without it, the same answer arrived in time. ${culprit}`,
    fixes: [noTransform, ...fixes],
    page: pages.proxies,
  });
}

/** A note, because a model may send in bursts; a fault if the same route does not, without the proxies. */
function findBursts(examination: Examination, direct: Examination | undefined): Finding | undefined {
  const { answer } = examination;
  const { isInBursts, events, moments } = measureArrival(answer, examination);
  if (!isInBursts) return undefined;
  const what = `The ${events} events arrived in bursts, at ${moments} moments.`;
  if (direct !== undefined && !measureArrival(direct.answer, direct).isInBursts) {
    return fault("in-bursts", what, { ...blame(answer.headers, "buffering"), page: pages.proxies });
  }
  return note("in-bursts", what, {
    culprit: "A model that sends in bursts, or a buffer that is flushed at intervals: --direct shows which.",
  });
}

/** Events that end an answer, in the wires of this package. */
const lastEvents = ["[DONE]", "done", "abort", "finish", "RUN_FINISHED", "RUN_ERROR"];

function findCut(examination: Examination): Finding | undefined {
  const { answer } = examination;
  // A server that gives up a connection in order asks the client to resume.
  if (answer.end === "left" || answer.retryMs !== undefined) return undefined;
  const isComplete = answer.blocks.some(({ type }) => type !== undefined && lastEvents.includes(type));
  if (isComplete) return undefined;
  const { heartbeatMs } = measureArrival(answer, examination);
  // A wire that is not of this package may have any end.
  if (answer.end === "whole" && heartbeatMs === undefined && answer.blocks.length > 1) return undefined;
  const silenceMs = answer.endMs - (answer.blocks.at(-1)?.atMs ?? 0);
  const when = `after ${seconds(answer.endMs)}${answer.problem ? ` (${answer.problem})` : ""}`;
  if (silenceMs < leastIdleMs) {
    const { culprit, fixes } = blame(answer.headers, "duration");
    if (answer.blocks.length === 0 && answer.end === "whole") {
      return fault("cut-off", `The answer ended ${when}, before any of it arrived.`, {
        culprit: "A handler that responds without a body, or a proxy that drops it.",
      });
    }
    const moment = answer.blocks.length === 0 ? "before any of it arrived" : "while bytes were arriving";
    return fault("cut-off", `The answer was cut off ${when}, ${moment}.`, {
      culprit: `A limit on the whole response, if it happens after the same time again; else a crash. ${culprit}`,
      fixes: [...fixes, "`maxDurationMs` of the route below the limit, so that answers end in order"],
      page: pages.proxies,
    });
  }
  return fault(
    "cut-in-silence",
    `The answer was cut off ${when}, when nothing had arrived for ${seconds(silenceMs)}.`,
    { ...blameForSilence(examination, silenceMs), page: pages.proxies },
  );
}

/** No idle timeout is shorter than this, in milliseconds. */
const leastIdleMs = 1000;

function blameForSilence(examination: Examination, silenceMs: number): { culprit: string; fixes: string[] } {
  const { headers } = examination.answer;
  const { heartbeatMs } = measureArrival(examination.answer, examination);
  if (heartbeatMs && silenceMs > heartbeatMs * (1 + heartbeatTolerance) + slackMs) {
    const { culprit, fixes } = blame(headers, "buffering");
    const interval = `Heartbeats, which the server announced for every ${seconds(heartbeatMs)}, did not arrive`;
    return { culprit: `${interval}: a buffer holds them back, or the server hung. ${culprit}`, fixes };
  }
  const { culprit, fixes } = blame(headers, "silence");
  const reason =
    heartbeatMs === 0
      ? "An idle timeout, because the route sends no heartbeats"
      : `An idle timeout that is shorter than the interval of the heartbeats, ${heartbeatMs ? seconds(heartbeatMs) : "8 s by default"}`;
  const shorterMs = Math.min(8000, Math.floor(silenceMs / 2000) * 1000 || 500);
  return {
    culprit: `${reason}. ${culprit}`,
    fixes: [`\`heartbeatMs: ${shorterMs}\` in the options of the route`, ...fixes],
  };
}

function findCache({ answer }: Examination): Finding | undefined {
  const { age } = answer.headers;
  const hit = ["x-cache", "x-cache-status", "cache-status", "cf-cache-status", "x-vercel-cache"].find(
    (name) => /\bhit\b/i.test(answer.headers[name] ?? ""),
  );
  // A proxy that holds a new answer back may count that time, in whole seconds.
  if (hit !== undefined || Number(age) * 1000 > answer.headersMs + slackMs) {
    return fault(
      "cached",
      `The answer comes from a cache (${hit ?? "age"}: ${answer.headers[hit ?? "age"]}).`,
      {
        fixes: ["exclude the path from caching"],
      },
    );
  }
  return undefined;
}

function findLostRun({ resumed }: Examination): Finding | undefined {
  if (resumed === undefined) return undefined;
  const { status, blocks, text } = resumed.recording;
  const firstId = blocks.find(({ id }) => id !== undefined)?.id;
  if (status === 204 || (status === 200 && firstId !== undefined && firstId !== resumed.afterId)) {
    return undefined;
  }
  const what = `The answer is a run, and cannot be resumed: a GET with its \`last-event-id\` got status ${status}. ${text}`;
  if (status === 404 && text.includes("run-not-found")) {
    return fault("lost-run", what, {
      culprit: "Another process served this request, and has no such run.",
      fixes: ["a store that all processes share, as `createRedisRunStore`"],
      page: pages.machines,
    });
  }
  return fault("lost-run", what, {
    culprit: text.includes("missing-run")
      ? "A proxy removes the header `last-event-id`."
      : "GET requests do not reach the route.",
    fixes: ["export `GET` and `DELETE` of the route too, and let proxies pass them on with all headers"],
  });
}
