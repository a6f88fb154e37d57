/**
 * Every open stream of the process, so that `drain` can end them. On `globalThis`, because bundlers split a program into
 * graphs of modules that each have a copy of this file.
 */

import type { RouteError } from "./error-response.ts";
import { closeSource, type StreamSource } from "./stream-source.ts";

/** An open stream. */
export interface OpenStream {
  /** Ends it in order, with `abort` `shutdown`. */
  shutdown(): void;
}

interface StreamRegistry {
  streams: Set<OpenStream>;
  isDraining: boolean;
  /** Called when a stream has ended. */
  onEnd: (() => void) | undefined;
}

const key = Symbol.for("@kortyx/server/streams");

export function streamRegistry(): StreamRegistry {
  const holder = globalThis as { [key]?: StreamRegistry };
  holder[key] ??= { streams: new Set(), isDraining: false, onEnd: undefined };
  return holder[key];
}

/** @returns a function to call when the stream has ended. */
export function registerStream(stream: OpenStream): () => void {
  const registry = streamRegistry();
  registry.streams.add(stream);
  return () => {
    registry.streams.delete(stream);
    registry.onEnd?.();
  };
}

/** How long a client waits before it asks another process, in seconds. */
const retryAfterSeconds = 1;

/** While the process drains: closes a source that is open already. @returns what to answer instead of a stream. */
export function refuseWhileDraining(source?: StreamSource): RouteError | undefined {
  if (!streamRegistry().isDraining) return undefined;
  if (source !== undefined) closeSource(source);
  return {
    status: 503,
    error: "The server is shutting down; ask again.",
    code: "draining",
    headers: { "retry-after": String(retryAfterSeconds) },
  };
}
