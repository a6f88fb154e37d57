/**
 * The shape in which a stream arrived, and for how long its bytes must have been held back on the way. The agent may pause
 * at any point, so silence alone proves nothing; these rules rest on what the server of this package does whatever its
 * agent does:
 *
 * 1. It sends its first bytes, with the headers, 25 ms after the agent has begun: a comment if there is nothing else.
 * 2. It writes whole events.
 * 3. It sends a heartbeat after `heartbeatMs` ± 10 % without other bytes: never earlier, and never later.
 *
 * Each rule gives a lower bound of the delay. Names no culprit.
 */
import type { Block, Recording } from "./recording.ts";

/** How long a network and a busy server may delay bytes before that counts, in milliseconds. */
export const slackMs = 1000;

/** By which share of their interval heartbeats may be early or late: docs/protocol.md, 2.5. */
export const heartbeatTolerance = 0.1;

/** Pieces that are this close to each other count as one, in milliseconds. */
const sameMomentMs = 20;

/** Bytes that arrive this long before the last ones show that the path streams, in milliseconds. */
const spreadMs = 250;

/** Fewer events may be all that an agent has sent in one moment. */
const fewEvents = 5;

/** Fewer events may be how an agent begins that works for a while before it streams. */
const manyEvents = 10;

/** How bytes were held back. */
interface Delay {
  /** The least time that fits what arrived, in milliseconds. */
  ms: number;
  /** What arrived, in words. */
  evidence: string;
}

export interface Arrival {
  /** The first byte of the body; `undefined` if none arrived. */
  firstByteMs: number | undefined;
  events: number;
  /** How many moments brought bytes. */
  moments: number;
  longestSilenceMs: number;
  /** The interval that the server has announced: 0 if it sends no heartbeats, `undefined` if it announced none. */
  heartbeatMs: number | undefined;
  /** The longest delay that is proven, or likely: bytes that were held back. */
  delay: Delay | undefined;
  /** Bytes arrived well before the last ones. */
  isSpread: boolean;
  /** The events of an answer came in one moment, long after the first bytes. */
  isInOnePiece: boolean;
  /** The events came several at a time, with pauses in between. */
  isInBursts: boolean;
}

interface ArrivalConditions {
  /** How long the same path takes to respond to a request that starts no answer, in milliseconds, if that is known. */
  controlMs: number | undefined;
  /** How long this process itself may have been late, in milliseconds. */
  graceMs: number;
}

export function measureArrival(recording: Recording, { controlMs, graceMs }: ArrivalConditions): Arrival {
  const { blocks } = recording;
  const events = blocks.filter((block) => block.comment === undefined);
  const moments = momentsOf(blocks);
  const heartbeatMs = announcedHeartbeat(blocks);
  const silences = silencesOf(recording);
  const firstByteMs = blocks[0]?.beganMs;
  const delays = [
    wholeAnswerDelay(recording, events, controlMs),
    oneBrokenEventDelay(blocks),
    // Only a server of this package announces heartbeats, and has promised the rest.
    ...(heartbeatMs === undefined
      ? []
      : [lateStartDelay(recording, events, controlMs), lateBodyDelay(recording)]),
    ...(heartbeatMs
      ? [earlyHeartbeatDelay(blocks, heartbeatMs), missedHeartbeatDelay(recording, heartbeatMs)]
      : []),
  ].filter(({ ms }) => ms > slackMs + graceMs);
  delays.push(...brokenEventsDelay(blocks, graceMs));
  return {
    firstByteMs,
    events: events.length,
    moments: moments.length,
    longestSilenceMs: longestOf(silences),
    heartbeatMs,
    delay: delays.sort((a, b) => b.ms - a.ms)[0],
    isSpread: firstByteMs !== undefined && blocks.at(-1)!.atMs - firstByteMs >= spreadMs,
    isInOnePiece: cameInOnePiece(events, firstByteMs),
    isInBursts: cameInBursts(moments, events.length),
  };
}

/** Rule 1: everything came at the end, and late. */
function wholeAnswerDelay({ blocks }: Recording, events: Block[], controlMs: number | undefined): Delay {
  const [first, last] = [blocks[0], blocks.at(-1)];
  const isLump = first !== undefined && last!.atMs - first.beganMs < spreadMs && events.length >= fewEvents;
  const ms = isLump ? first.beganMs - (controlMs ?? 0) : 0;
  const spanMs = isLump ? last!.atMs - first.beganMs : 0;
  const close = spanMs < sameMomentMs ? "together" : `within ${seconds(spanMs)}`;
  return {
    ms,
    evidence: `all ${events.length} events arrived ${close}, ${lateness(ms, controlMs)}`,
  };
}

/** Rule 1: what came first, and late, was more than a beginning. */
function lateStartDelay({ blocks }: Recording, events: Block[], controlMs: number | undefined): Delay {
  const firstMs = blocks[0]?.beganMs ?? 0;
  const together = events.filter(({ atMs }) => atMs - firstMs < sameMomentMs).length;
  const ms = together >= manyEvents ? firstMs - (controlMs ?? 0) : 0;
  return {
    ms,
    evidence: `the first ${together} events arrived together, ${lateness(ms, controlMs)}`,
  };
}

/** Rule 1: the headers came, and the comment that follows them did not. */
function lateBodyDelay({ blocks, headersMs }: Recording): Delay {
  const ms = blocks[0]!.beganMs - headersMs;
  return { ms, evidence: `the first bytes of the body arrived ${seconds(ms)} after the headers` };
}

/** Rule 2: a part of an event came, and then a pause. */
function oneBrokenEventDelay(blocks: Block[]): Delay {
  const ms = longestOf(blocks.map(({ beganMs, atMs }) => atMs - beganMs));
  return { ms, evidence: `an event stopped in the middle for ${seconds(ms)}` };
}

/** Rule 2: shorter pauses are no accident of a network if there are several. */
function brokenEventsDelay(blocks: Block[], graceMs: number): Delay[] {
  const stops = blocks.map(({ beganMs, atMs }) => atMs - beganMs).filter((ms) => ms >= spreadMs + graceMs);
  const ms = longestOf(stops);
  const evidence = `${stops.length} events stopped in the middle, for up to ${seconds(ms)}`;
  return stops.length < 3 ? [] : [{ ms, evidence }];
}

/** Rule 3: heartbeats came sooner after what was before them than they can have been sent. */
function earlyHeartbeatDelay(blocks: Block[], heartbeatMs: number): Delay {
  const leastMs = heartbeatMs * (1 - heartbeatTolerance);
  let ms = 0;
  let longest = 0;
  // The first heartbeat announces the interval, and follows none.
  const start = blocks.findIndex(isHeartbeat);
  for (const [index, block] of blocks.entries()) {
    if (index <= start) continue;
    // A heartbeat was sent at least this long after what came before it.
    const sentLaterMs = isHeartbeat(block) ? leastMs : 0;
    ms = Math.max(0, ms + sentLaterMs - (block.beganMs - blocks[index - 1]!.atMs));
    longest = Math.max(longest, ms);
  }
  return {
    ms: longest,
    evidence: `heartbeats arrived ${seconds(longest)} too early after what came before them`,
  };
}

/** Rule 3: a heartbeat was due, and other bytes came later. */
function missedHeartbeatDelay({ blocks, endMs, end }: Recording, heartbeatMs: number): Delay {
  // A connection that was closed in silence has its own verdict.
  const times = [...blocks.map(({ beganMs }) => beganMs), ...(end === "left" ? [endMs] : [])];
  const silence = longestOf(times.map((atMs, index) => atMs - (blocks[index - 1]?.atMs ?? atMs)));
  const ms = Math.max(0, silence - heartbeatMs * (1 + heartbeatTolerance));
  return {
    ms,
    evidence: `nothing arrived for ${seconds(silence)}, although the server announced a heartbeat every ${seconds(heartbeatMs)}`,
  };
}

const isHeartbeat = ({ comment }: Block): boolean => comment?.startsWith("hb=") ?? false;

function announcedHeartbeat(blocks: Block[]): number | undefined {
  const comment = blocks.find(isHeartbeat)?.comment;
  return comment === undefined ? undefined : Number(comment.slice(3));
}

/** The times at which bytes arrived, without those that follow another at once. */
function momentsOf(blocks: Block[]): number[] {
  const moments: number[] = [];
  for (const { atMs } of blocks) {
    if (atMs - (moments.at(-1) ?? Number.NEGATIVE_INFINITY) >= sameMomentMs) moments.push(atMs);
  }
  return moments;
}

/** From the request to the first byte, between any two, and from the last one to the end. */
function silencesOf({ blocks, endMs }: Recording): number[] {
  let since = 0;
  const silences = blocks.map(({ beganMs, atMs }) => {
    const silence = beganMs - since;
    since = atMs;
    return silence;
  });
  return [...silences, endMs - since];
}

/** Everything that the agent sent came in one moment, although the connection was open long before. */
function cameInOnePiece(events: Block[], firstByteMs: number | undefined): boolean {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || firstByteMs === undefined || events.length < fewEvents) return false;
  return first.beganMs - firstByteMs > slackMs && last!.atMs - first.beganMs < spreadMs;
}

function cameInBursts(moments: number[], events: number): boolean {
  if (moments.length < 3 || events < fewEvents * moments.length) return false;
  const pauses = moments.slice(1).map((atMs, index) => atMs - moments[index]!);
  return pauses.sort((a, b) => a - b)[Math.floor(pauses.length / 2)]! >= spreadMs;
}

/** The longest of any number of times: more than a call can have arguments. */
const longestOf = (times: number[]): number => times.reduce((longest, ms) => Math.max(longest, ms), 0);

/** How late bytes were, in words. */
export const lateness = (ms: number, controlMs: number | undefined): string =>
  `${seconds(ms)} ${controlMs === undefined ? "after the request" : "later than the response to a bad request"}`;

/** A duration in words: `0.25 s`. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`;
