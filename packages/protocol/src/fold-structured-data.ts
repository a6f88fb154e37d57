/**
 * Folds `structured-data` chunks into the object that they describe: the canonical reducer of the contract. Knows
 * nothing about messages, and does not validate chunks.
 */
import { isRecord } from "./chunk-shape.ts";
import type {
  StreamChunk,
  StructuredDataChunk,
  StructuredDataInvalidatedChunk,
  UnknownChunk,
} from "./chunks.ts";
import { describeKind } from "./describe-value.ts";
import { StreamProtocolError } from "./errors.ts";
import { OwnedContainers } from "./owned-containers.ts";
import { isSameJSON } from "./same-json.ts";

/** The deepest path that a chunk may name, in segments. */
const maxPathSegments = 64;
/** Segments that no path may have. */
const forbidden = /^(|__proto__|prototype|constructor)$/;

/** A structured object, as streamed so far. Immutable once handed out. */
export interface StructuredStreamState<Data = unknown> {
  /** The stream whose chunks build the object. */
  readonly streamId: string;
  /** The kind of object, for the UI that renders it. */
  readonly dataType: string;
  /** The schema that the whole object follows. */
  readonly schemaId?: string | undefined;
  /** The version of that schema. */
  readonly schemaVersion?: string | undefined;
  /** A name that the agent gave the object. */
  readonly id?: string | undefined;
  /** The node of the workflow that produced the latest chunk. */
  readonly node?: string | undefined;
  /** The object so far; `undefined` before the first chunk that puts something in it. */
  readonly data: Data;
  /** `"done"` after a `final` chunk: nothing may follow. */
  readonly status: "streaming" | "done";
}

/** A chunk that changes a structured object. */
export type StructuredStreamChunk = StructuredDataChunk | StructuredDataInvalidatedChunk;

/**
 * Applies one chunk to the state of its stream, without changing that state.
 *
 * Missing containers along the path are created: an array if the next segment is a number, else an object. Takes time
 * linear in the size of the containers on the path; use {@link createStructuredStreamAccumulator} for many chunks.
 *
 * @returns The next state; `undefined` after `structured-data-invalidated`.
 * @throws StreamProtocolError `invalid-structured-data` when a path has an empty segment, `__proto__`, `prototype` or
 * `constructor`, or more than 64 segments, when an index lies beyond the end of its array, when a path leads through or
 * ends at a value of the wrong kind, when a chunk belongs to another stream, or when a chunk follows `final` (repeating
 * the same `final` is allowed).
 *
 * @example
 * ```ts
 * const chunk = { type: "structured-data", streamId: "1", dataType: "recipe" } as const;
 * const first = applyStructuredChunk(undefined, { ...chunk, kind: "set", path: "title", value: "Pasta" });
 * const next = applyStructuredChunk(first, { ...chunk, kind: "append", path: "steps", items: ["Boil water."] });
 * next?.data; // { title: "Pasta", steps: ["Boil water."] }
 * ```
 */
export function applyStructuredChunk(
  state: StructuredStreamState | undefined,
  chunk: StructuredStreamChunk,
): StructuredStreamState | undefined {
  if (state !== undefined && state.streamId !== chunk.streamId) {
    refuse(chunk, `the state is of stream "${start(state.streamId)}"`);
  }
  return foldStructured(state, chunk, new OwnedContainers());
}

/**
 * Applies the chunks of one or more structured streams.
 *
 * @returns The state of each stream that was not invalidated, by `streamId`.
 * @throws StreamProtocolError as {@link applyStructuredChunk} does.
 *
 * @example
 * ```ts
 * const chunk = { type: "structured-data", streamId: "1", dataType: "recipe" } as const;
 * const states = reduceStructuredChunks([
 *   { ...chunk, kind: "set", path: "title", value: "Pasta" },
 *   { ...chunk, kind: "text-delta", path: "title", delta: " al pesto" },
 * ]);
 * states.get("1")?.data; // { title: "Pasta al pesto" }
 * ```
 */
export function reduceStructuredChunks(
  chunks: Iterable<StructuredStreamChunk>,
): Map<string, StructuredStreamState> {
  return new Map(createStructuredStreamAccumulator(chunks).entries());
}

/** Folds the chunks of any number of structured streams, each into its object. */
export interface StructuredStreamAccumulator<Data = unknown> {
  /**
   * Applies the next chunk of any stream.
   *
   * @returns The state of its stream, which never changes: the next chunk copies the containers that it touches.
   * `undefined` after `structured-data-invalidated`.
   * @throws StreamProtocolError as {@link applyStructuredChunk} does; the stream's state is then unchanged.
   */
  apply(chunk: StructuredDataChunk): StructuredStreamState<Data>;
  apply(chunk: StructuredStreamChunk): StructuredStreamState<Data> | undefined;
  /**
   * Like `apply`, for any chunk of a stream.
   *
   * @returns `undefined` also for a chunk that is not structured data, which changes nothing.
   */
  applyStreamChunk(chunk: StreamChunk | UnknownChunk): StructuredStreamState<Data> | undefined;
  /** Returns the state of one stream; `undefined` if it is not known. */
  get(streamId: string): StructuredStreamState<Data> | undefined;
  /** Whether a stream is known. */
  has(streamId: string): boolean;
  /** Forgets a stream. @returns whether it was known. */
  delete(streamId: string): boolean;
  /** Forgets every stream. */
  clear(): void;
  /** The number of streams. */
  size(): number;
  /** Every stream with its state, in the order in which they began. */
  entries(): [streamId: string, state: StructuredStreamState<Data>][];
  /** The state of every stream, in the same order. */
  values(): StructuredStreamState<Data>[];
  /** The state of every stream as an object by `streamId`. */
  toRecord(): Record<string, StructuredStreamState<Data>>;
}

/**
 * Creates a fold over the `structured-data` chunks of any number of streams.
 *
 * @param initialChunks - Applied first, in time linear in their size.
 * @throws StreamProtocolError as {@link applyStructuredChunk} does, for one of them.
 *
 * @example
 * ```ts
 * const recipes = createStructuredStreamAccumulator<{ title?: string }>();
 * for await (const chunk of stream) {
 *   const state = recipes.applyStreamChunk(chunk);
 *   if (state !== undefined) render(state.data);
 * }
 * ```
 */
export function createStructuredStreamAccumulator<Data = unknown>(
  initialChunks: Iterable<StructuredStreamChunk> = [],
): StructuredStreamAccumulator<Data> {
  const states = new Map<string, StructuredStreamState<Data>>();

  function fold(
    chunk: StructuredStreamChunk,
    owned: OwnedContainers,
  ): StructuredStreamState<Data> | undefined {
    const { streamId } = chunk;
    const state = foldStructured(states.get(streamId), chunk, owned) as
      | StructuredStreamState<Data>
      | undefined;
    if (state === undefined) states.delete(streamId);
    else states.set(streamId, state);
    return state;
  }

  // From here on, containers that were handed out are copied before a change; until now, we owned them all.
  const owned = new OwnedContainers();
  for (const chunk of initialChunks) fold(chunk, owned);

  const apply = (chunk: StructuredStreamChunk) => fold(chunk, new OwnedContainers());
  return {
    apply: apply as StructuredStreamAccumulator<Data>["apply"],
    applyStreamChunk(chunk) {
      const isStructured = chunk.type === "structured-data" || chunk.type === "structured-data-invalidated";
      return isStructured ? apply(chunk as StructuredStreamChunk) : undefined;
    },
    get: (streamId) => states.get(streamId),
    has: (streamId) => states.has(streamId),
    delete: (streamId) => states.delete(streamId),
    clear: () => states.clear(),
    size: () => states.size,
    entries: () => [...states],
    values: () => [...states.values()],
    toRecord: () => Object.fromEntries(states),
  };
}

/**
 * @internal {@link applyStructuredChunk} for a caller that owns the state and knows which containers are not shared.
 *
 * @param owned - The containers that may be changed in place; those that are made are added.
 */
export function foldStructured(
  state: StructuredStreamState | undefined,
  chunk: StructuredStreamChunk,
  owned: OwnedContainers,
): StructuredStreamState | undefined {
  const { streamId } = chunk;
  if (chunk.type === "structured-data-invalidated") return undefined;
  const { kind, dataType } = chunk;
  if (state?.status === "done") {
    if (kind === "final" && isSameJSON(chunk.data, state.data)) return state;
    refuse(chunk, `"${kind}" after "final"`);
  }
  const next = { ...state, streamId, dataType };
  // Fields that a chunk omits keep their earlier values.
  for (const name of ["schemaId", "schemaVersion", "id", "node"] as const) {
    if (chunk[name] !== undefined) next[name] = chunk[name];
  }
  return kind === "final"
    ? { ...next, data: chunk.data, status: "done" }
    : { ...next, data: write(state?.data, chunk, owned), status: "streaming" };
}

type PathChunk = Exclude<StructuredDataChunk, { kind: "final" }>;

/** A chunk with a path. */
interface PathWrite {
  chunk: PathChunk;
  segments: string[];
  owned: OwnedContainers;
}

/**
 * Applies a chunk at its path. Everything is checked on the way down and written on the way up, so that a rejected
 * chunk changes nothing.
 */
const write = (root: unknown, chunk: PathChunk, owned: OwnedContainers): unknown =>
  update(root, 0, { chunk, segments: segmentsOf(chunk), owned });

function segmentsOf(chunk: PathChunk): string[] {
  // Splits no more of a huge path than it takes to reject it: one segment over the limit.
  const segments = chunk.path.split(".", maxPathSegments + 1);
  if (segments.length > maxPathSegments || segments.some((segment) => forbidden.test(segment))) {
    refuse(chunk, `path "${start(chunk.path)}" is not allowed`);
  }
  return segments;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape.
function update(found: any, depth: number, at: PathWrite): unknown {
  const segment = at.segments[depth];
  if (segment === undefined) return change(found, at);
  const isIndex = /^(0|[1-9]\d*)$/.test(segment);
  const value = found === undefined ? (isIndex ? [] : {}) : found;
  if (Array.isArray(value) ? !isIndex || Number(segment) > value.length : !isRecord(value)) {
    refuseFit(at.chunk, `"${start(segment)}"`, value);
  }
  // Own properties only, so that inherited names such as `toString` are plain keys.
  const inner = update(Object.hasOwn(value, segment) ? value[segment] : undefined, depth + 1, at);
  const container = at.owned.own(value);
  container[segment] = inner;
  return container;
}

/** @returns the new value at the end of the path. */
function change(value: unknown, { chunk, owned }: PathWrite): unknown {
  if (chunk.kind === "set") return chunk.value;
  if (chunk.kind === "text-delta") {
    if (value !== undefined && typeof value !== "string") refuseFit(chunk, chunk.kind, value);
    return `${value ?? ""}${chunk.delta}`;
  }
  const list = value === undefined ? [] : value;
  if (!Array.isArray(list)) refuseFit(chunk, chunk.kind, value);
  const items = owned.own(list);
  for (const item of chunk.items) items.push(item);
  return items;
}

function refuseFit(chunk: PathChunk, what: string, value: unknown): never {
  const where = Array.isArray(value) ? `an array of ${value.length}` : describeKind(value);
  return refuse(chunk, `${what} in path "${start(chunk.path)}" does not fit ${where}`);
}

const start = (text: string): string => text.slice(0, 80);

function refuse(chunk: StructuredStreamChunk, reason: string): never {
  throw new StreamProtocolError(
    "invalid-structured-data",
    `Structured stream "${start(chunk.streamId)}": ${reason}.`,
  );
}
