/**
 * Every open stream of the process, so that `drain` can end them. On `globalThis`, because bundlers split a program
 * into module graphs that each have a copy of this file.
 */

import type { RouteError } from "../stream/error-response.ts";
import { closeSource, type StreamSource } from "../stream/source.ts";

/** An open stream. */
export interface OpenStream {
  /** Ends it in order, with `abort` `shutdown`. */
  shutdown(): void;
}

/** A connection that follows a run, and ends with it. */
export interface OpenFollower {
  /** Hands it over to another process as soon as draining begins; absent if only this one can continue it. */
  handOff?: (() => void) | undefined;
}

interface StreamRegistry {
  streams: Set<OpenStream>;
  /** The number of streams that ended on their own since the process began. */
  finishedStreams: number;
  /** Those that the deadline of `drain` ended, or is ending. */
  abortedStreams: Set<OpenStream>;
  /** Requests whose run is being opened. */
  openings: Set<OpenStream>;
  followers: Set<OpenFollower>;
  isDraining: boolean;
  /** Responses of the Node adapter whose last bytes may not have been sent yet. */
  responses: Set<object>;
  /** Calls of `onFinish` that have not returned. */
  finishing: Set<Promise<void>>;
  /** Called when an entry of these sets is removed. */
  listeners: Set<() => void>;
}

const key = Symbol.for("@kortyx/server/streams");

export function streamRegistry(): StreamRegistry {
  const holder = globalThis as { [key]?: StreamRegistry };
  holder[key] ??= {
    streams: new Set(),
    finishedStreams: 0,
    abortedStreams: new Set(),
    openings: new Set(),
    followers: new Set(),
    isDraining: false,
    responses: new Set(),
    finishing: new Set(),
    listeners: new Set(),
  };
  return holder[key];
}

/** @returns a function to call when the stream has ended. */
export const registerStream = (stream: OpenStream): (() => void) =>
  register(streamRegistry().streams, stream, () => {
    const registry = streamRegistry();
    if (!registry.abortedStreams.has(stream)) registry.finishedStreams++;
  });

/** Ends every stream and every opening, at the deadline of `drain`. */
export function abortStreams(): void {
  const { openings, streams, abortedStreams } = streamRegistry();
  const late = [...openings, ...streams];
  for (const stream of streams) abortedStreams.add(stream);
  for (const entry of late) entry.shutdown();
}

/** @returns a signal that the deadline of `drain` aborts, and a function to call when the request has its response. */
export function registerOpening(): { shutdown: AbortSignal; unregister: () => void } {
  const deadline = new AbortController();
  const unregister = register(streamRegistry().openings, { shutdown: () => deadline.abort() });
  return { shutdown: deadline.signal, unregister };
}

/** @returns a function to call when the connection has ended. */
export const registerFollower = (follower: OpenFollower): (() => void) =>
  register(streamRegistry().followers, follower);

/** @returns a function to call when the last byte was passed to the operating system, or the client has left. */
export const registerResponse = (response: object): (() => void) =>
  register(streamRegistry().responses, response);

/** @param call - A call of `onFinish`, which may be saving the answer. Does not reject. */
export function registerFinishing(call: Promise<void>): void {
  void call.then(register(streamRegistry().finishing, call));
}

function register<Entry>(entries: Set<Entry>, entry: Entry, onFirstEnd?: () => void): () => void {
  entries.add(entry);
  return () => {
    if (entries.delete(entry)) onFirstEnd?.();
    for (const onEnd of streamRegistry().listeners) onEnd();
  };
}

/** How long a client waits before it tries another process, in seconds. */
const retryAfterSeconds = 1;

/** While the process drains: closes an already open source. @returns the response that replaces the stream. */
export function refuseWhileDraining(source?: StreamSource): RouteError | undefined {
  if (!streamRegistry().isDraining) return undefined;
  if (source !== undefined) closeSource(source);
  return {
    status: 503,
    error: "The server is shutting down. Please try again.",
    code: "draining",
    // On a kept connection, the next request would also reach this process.
    headers: { "retry-after": String(retryAfterSeconds), connection: "close" },
  };
}
