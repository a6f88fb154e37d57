/**
 * Folds `structured-data` chunks into the object that they describe: the canonical reducer of the contract. Knows
 * nothing of messages, and does not check that a value is a chunk.
 */
import type { StructuredDataChunk, StructuredDataInvalidatedChunk } from "./stream-chunk.ts";
import { StreamProtocolError } from "./stream-error.ts";

/** The deepest path that a chunk may name, in segments. */
const maxPathSegments = 64;

/** A structured object, as far as it has been streamed. Never changes once it was handed out. */
export interface StructuredStreamState {
  readonly streamId: string;
  readonly dataType: string;
  readonly schemaId?: string | undefined;
  readonly schemaVersion?: string | undefined;
  readonly id?: string | undefined;
  readonly node?: string | undefined;
  /** The object so far; `undefined` before the first chunk that puts something in it. */
  readonly data: unknown;
  /** `"final"` after a `final` chunk: nothing may follow. */
  readonly status: "streaming" | "final";
}

/** A chunk that changes a structured object. */
export type StructuredStreamChunk = StructuredDataChunk | StructuredDataInvalidatedChunk;

type Container = Record<string, unknown> | unknown[];

/** The containers that were made since the last time the object was handed out: only they may be changed in place. */
type Owned = WeakSet<Container>;

/**
 * Applies one chunk to the state of its stream, without changing that state.
 *
 * A path's missing parts are made on the way: an array where the next segment is a number, else an object.
 * Costs what the containers on the path hold; use {@link createStructuredStreamAccumulator} for many chunks.
 *
 * @returns The next state; `undefined` after `structured-data-invalidated`.
 * @throws StreamProtocolError `invalid-structured-data` when a path has an empty segment, `__proto__`, `prototype` or
 * `constructor`, or more than 64 segments, when an index lies beyond the end of its array, when a path leads through
 * or ends at something of the wrong kind, when a chunk belongs to another stream, or when one follows `final` (the
 * same `final` once more is fine).
 */
export function applyStructuredChunk(
  state: StructuredStreamState | undefined,
  chunk: StructuredStreamChunk,
): StructuredStreamState | undefined {
  return apply(state, chunk, new WeakSet());
}

/**
 * Applies the chunks of one or more structured streams.
 *
 * @returns The state of each stream that was not invalidated, by `streamId`.
 * @throws StreamProtocolError as {@link applyStructuredChunk} does.
 */
export function reduceStructuredChunks(
  chunks: Iterable<StructuredStreamChunk>,
): Map<string, StructuredStreamState> {
  const accumulator = createStructuredStreamAccumulator();
  for (const chunk of chunks) accumulator.apply(chunk);
  return new Map(accumulator.entries());
}

export interface StructuredStreamAccumulator {
  /**
   * Applies the next chunk of any stream. Amortised, it costs what the chunk holds, not what the object holds.
   *
   * @throws StreamProtocolError as {@link applyStructuredChunk} does; the stream's state is then what it was before.
   */
  apply(chunk: StructuredStreamChunk): void;
  /** The state of a stream. What it returns never changes; the next chunk copies the containers it touches. */
  get(streamId: string): StructuredStreamState | undefined;
  has(streamId: string): boolean;
  /** Forgets a stream. @returns whether it was there. */
  delete(streamId: string): boolean;
  clear(): void;
  /** Every stream with its state, in the order in which they began. */
  entries(): IterableIterator<[streamId: string, state: StructuredStreamState]>;
}

/** Creates a fold over the `structured-data` chunks of any number of streams. */
export function createStructuredStreamAccumulator(): StructuredStreamAccumulator {
  const streams = new Map<string, { state: StructuredStreamState; owned: Owned }>();

  function get(streamId: string): StructuredStreamState | undefined {
    const stream = streams.get(streamId);
    // From now on the caller holds these containers.
    if (stream !== undefined) stream.owned = new WeakSet();
    return stream?.state;
  }

  return {
    apply(chunk) {
      const { streamId } = chunk;
      const stream = streams.get(streamId);
      const owned: Owned = stream?.owned ?? new WeakSet();
      const state = apply(stream?.state, chunk, owned);
      if (state === undefined) streams.delete(streamId);
      else if (stream === undefined) streams.set(streamId, { state, owned });
      else stream.state = state;
    },
    get,
    has: (streamId) => streams.has(streamId),
    delete: (streamId) => streams.delete(streamId),
    clear: () => streams.clear(),
    *entries() {
      for (const streamId of streams.keys()) yield [streamId, get(streamId)!];
    },
  };
}

function apply(
  state: StructuredStreamState | undefined,
  chunk: StructuredStreamChunk,
  owned: Owned,
): StructuredStreamState | undefined {
  if (state !== undefined && state.streamId !== chunk.streamId) {
    throw refuse(chunk, `the state is of stream "${shorten(state.streamId)}"`);
  }
  if (chunk.type === "structured-data-invalidated") return undefined;
  if (state?.status === "final") {
    if (chunk.kind === "final" && isSameJSON(chunk.data, state.data)) return state;
    throw refuse(chunk, `"${chunk.kind}" after "final"`);
  }
  return {
    ...state,
    streamId: chunk.streamId,
    dataType: chunk.dataType,
    ...pickDefined(chunk),
    data: chunk.kind === "final" ? chunk.data : write(state?.data, chunk, owned),
    status: chunk.kind === "final" ? "final" : "streaming",
  };
}

function isSameJSON(one: unknown, other: unknown): boolean {
  try {
    return one === other || JSON.stringify(one) === JSON.stringify(other);
  } catch {
    // Nested deeper than the stack: it cannot be told, and is not taken for the same.
    return false;
  }
}

/** What a chunk says about its stream; what it leaves out stays as earlier chunks said. */
function pickDefined(chunk: StructuredDataChunk): Partial<StructuredStreamState> {
  const picked: Record<string, string> = {};
  for (const name of ["schemaId", "schemaVersion", "id", "node"] as const) {
    const value = chunk[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

type PathChunk = Exclude<StructuredDataChunk, { kind: "final" }>;

/** Applies a chunk at its path. Checks everything before it changes anything. */
function write(root: unknown, chunk: PathChunk, owned: Owned): unknown {
  const segments = parsePath(chunk);
  // First pass, without a write: where the path leads, so that a refused chunk leaves nothing half done.
  let value = root;
  for (let depth = 0; depth < segments.length; depth++) {
    if (value !== undefined) checkStep(value, segments, depth, chunk);
    else if (isIndex(segments[depth]!) && segments[depth] !== "0") throw beyondEnd(segments, depth, 0, chunk);
    value = value === undefined ? undefined : read(value as Container, segments[depth]!);
  }
  if (chunk.kind === "append" && value !== undefined && !Array.isArray(value)) {
    throw refuse(chunk, `expected an array at "${shorten(chunk.path)}", got ${describe(value)}`);
  }
  if (chunk.kind === "text-delta" && value !== undefined && typeof value !== "string") {
    throw refuse(chunk, `expected a string at "${shorten(chunk.path)}", got ${describe(value)}`);
  }

  // Second pass: every container on the path becomes ours, then the value is put in.
  const ownedRoot = own(root, segments[0]!, owned);
  let parent = ownedRoot;
  for (let depth = 0; depth < segments.length - 1; depth++) {
    const child = own(read(parent, segments[depth]!), segments[depth + 1]!, owned);
    put(parent, segments[depth]!, child);
    parent = child;
  }
  const last = segments[segments.length - 1]!;
  switch (chunk.kind) {
    case "set":
      put(parent, last, chunk.value);
      break;
    case "append": {
      const items = own(value, "0", owned) as unknown[];
      for (const item of chunk.items) items.push(item);
      put(parent, last, items);
      break;
    }
    case "text-delta":
      put(parent, last, ((value as string | undefined) ?? "") + chunk.delta);
      break;
  }
  return ownedRoot;
}

/** The container itself when it is ours already, else a copy of it, or a new one that fits the next segment. */
function own(value: unknown, nextSegment: string, owned: Owned): Container {
  if (owned.has(value as Container)) return value as Container;
  const container: Container = Array.isArray(value)
    ? value.slice()
    : value !== undefined
      ? { ...(value as Record<string, unknown>) }
      : isIndex(nextSegment)
        ? []
        : {};
  owned.add(container);
  return container;
}

function parsePath(chunk: PathChunk): string[] {
  const { path } = chunk;
  // Cut short of a huge path: one segment more than allowed is enough to refuse it.
  const segments = path.split(".", maxPathSegments + 1);
  if (segments.length > maxPathSegments) {
    throw refuse(chunk, `path "${shorten(path)}" has more than ${maxPathSegments} segments`);
  }
  for (const segment of segments) {
    if (segment === "") throw refuse(chunk, `path "${shorten(path)}" has an empty segment`);
    if (segment === "__proto__" || segment === "prototype" || segment === "constructor") {
      throw refuse(chunk, `path "${shorten(path)}" has the forbidden segment "${segment}"`);
    }
  }
  return segments;
}

/** Whether `segments[depth]` can be looked up in `value`. */
function checkStep(value: unknown, segments: string[], depth: number, chunk: PathChunk): void {
  const segment = segments[depth]!;
  if (Array.isArray(value)) {
    if (!isIndex(segment))
      throw refuse(chunk, `"${shorten(segment)}" is not an index of the array at ${at(segments, depth)}`);
    if (Number(segment) > value.length) throw beyondEnd(segments, depth, value.length, chunk);
  } else if (typeof value !== "object" || value === null) {
    throw refuse(chunk, `expected an object or an array at ${at(segments, depth)}, got ${describe(value)}`);
  }
}

const isIndex = (segment: string): boolean => /^(0|[1-9]\d*)$/.test(segment);

/** Own properties only, so that inherited names such as `toString` are plain keys. */
function read(container: Container, segment: string): unknown {
  return Object.hasOwn(container, segment) ? (container as Record<string, unknown>)[segment] : undefined;
}

function put(container: Container, segment: string, value: unknown): void {
  (container as Record<string, unknown>)[segment] = value;
}

function beyondEnd(segments: string[], depth: number, length: number, chunk: PathChunk): StreamProtocolError {
  return refuse(
    chunk,
    `index ${shorten(segments[depth]!)} lies beyond the array at ${at(segments, depth)}, which has ${length} items`,
  );
}

const at = (segments: string[], depth: number): string =>
  depth === 0 ? "the root" : `"${shorten(segments.slice(0, depth).join("."))}"`;

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function refuse(chunk: StructuredStreamChunk, reason: string): StreamProtocolError {
  return new StreamProtocolError(
    "invalid-structured-data",
    `Structured stream "${shorten(chunk.streamId)}": ${reason}.`,
  );
}
