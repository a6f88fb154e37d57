/** Structured objects, as the activities and the state of AG-UI. What a chunk changes is decided by `fold-structured-data.ts`. */
import type { AGUIPatchOperation } from "./ag-ui-events.ts";
import type { AGUIRun } from "./ag-ui-run.ts";
import { tagOf } from "./ag-ui-texts.ts";
import { isRecord } from "./chunk-shape.ts";
import type { StructuredDataChunk } from "./chunks.ts";
import {
  foldStructured,
  type StructuredStreamChunk,
  type StructuredStreamState,
} from "./fold-structured-data.ts";
import { OwnedContainers } from "./owned-containers.ts";

/** The `dataType` of the object that is the state of AG-UI. */
const stateType = "state";

interface SharedObject {
  streamId: string;
  state: StructuredStreamState | undefined;
  owned: OwnedContainers;
  /** That of its activity. */
  messageId: string | undefined;
  subagentRunId: string | undefined;
  /** The client has the object, without the texts at these paths. */
  isSent: boolean;
  /** The texts that the client has in part: by path, how many characters it lacks. */
  grown: Map<string, number>;
}

/** A text of at most this length is sent again with each flush, in characters. */
const smallLength = 4_096;

/** Writes the structured objects of one run. */
export class AGUIObjects {
  readonly #run: AGUIRun;
  readonly #objects = new Map<string, SharedObject>();
  /** The object that is the client's state. */
  #clientState: SharedObject | undefined;

  constructor(run: AGUIRun) {
    this.#run = run;
  }

  apply(chunk: StructuredStreamChunk, subagentRunId: string | undefined): void {
    const object = this.#objects.get(chunk.streamId) ?? toObject(chunk.streamId, subagentRunId);
    if (chunk.type === "structured-data-invalidated") {
      this.#clear(object);
      return;
    }
    const isText = chunk.kind === "text-delta" && hasText(object, chunk.path);
    if (!isText) this.#sendTexts(object, hasGrownEnough);
    // The fold changes the object in place.
    const operations = isText ? [] : planChange(object.state?.data, chunk);
    const before = object.state;
    try {
      object.state = foldStructured(before, chunk, object.owned);
    } catch {
      // A chunk that does not fit, which no reader applies.
      return;
    }
    this.#objects.set(chunk.streamId, object);
    if (object.state === before) return;
    const hasMoved = (chunk.dataType === stateType) !== (before?.dataType === stateType);
    if (hasMoved || (chunk.dataType === stateType && this.#clientState !== object)) object.isSent = false;
    if (!object.isSent || operations === undefined) this.#sendWhole(object);
    else if (isText) addLength(object, chunk as { path: string; delta: string });
    else
      this.#sendPatch(
        object,
        operations.map((operation) => withValue(operation, object)),
      );
  }

  /**
   * Sends the texts that have grown enough. JSON Patch cannot append to a text, so each is sent whole; all the events of a
   * text together are linear in its length.
   */
  flush(): void {
    for (const object of this.#objects.values()) this.#sendTexts(object, hasGrownEnough);
  }

  /** Sends all texts that have grown. */
  close(): void {
    for (const object of this.#objects.values()) this.#sendTexts(object, () => true);
  }

  #sendTexts(object: SharedObject, isDue: (length: number, added: number) => boolean): void {
    const operations: AGUIPatchOperation[] = [];
    // The client has another state by now.
    if (object.state?.dataType === stateType && this.#clientState !== object) object.grown.clear();
    for (const [path, added] of object.grown) {
      const segments = path.split(".");
      const value = valueAt(object.state?.data, segments);
      const isText = typeof value === "string";
      if (isText && !isDue(value.length, added)) continue;
      object.grown.delete(path);
      // Otherwise a later change has replaced the text.
      if (isText) operations.push({ op: "replace", path: toPointer(segments), value });
    }
    if (operations.length > 0) this.#sendPatch(object, operations);
  }

  #sendPatch(object: SharedObject, patch: AGUIPatchOperation[]): void {
    const { dataType, data } = object.state!;
    if (dataType === stateType) this.#run.write({ type: "STATE_DELTA", delta: patch, ...tagOf(object) });
    else if (!isRecord(data)) this.#sendWhole(object);
    else {
      const messageId = object.messageId!;
      this.#run.write({ type: "ACTIVITY_DELTA", messageId, activityType: dataType, patch, ...tagOf(object) });
    }
  }

  #sendWhole(object: SharedObject): void {
    const { dataType, data } = object.state!;
    object.isSent = true;
    object.grown.clear();
    object.owned.release();
    this.#writeWhole(object, dataType, data);
  }

  #clear(object: SharedObject): void {
    if (object.state === undefined) return;
    this.#writeWhole(object, object.state.dataType, {});
    object.state = undefined;
    object.isSent = false;
    object.grown.clear();
  }

  #writeWhole(object: SharedObject, dataType: string, data: unknown): void {
    if (dataType === stateType) {
      this.#clientState = object;
      this.#run.write({ type: "STATE_SNAPSHOT", snapshot: data, ...tagOf(object) });
      return;
    }
    const { streamId, subagentRunId } = object;
    object.messageId ??= this.#run.addMessage(streamId, { isAssistant: false, subagentRunId });
    this.#run.write({
      type: "ACTIVITY_SNAPSHOT",
      messageId: object.messageId,
      activityType: dataType,
      content: isRecord(data) ? data : { value: data },
      ...tagOf(object),
    });
  }
}

const toObject = (streamId: string, subagentRunId: string | undefined): SharedObject => ({
  streamId,
  state: undefined,
  owned: new OwnedContainers(),
  messageId: undefined,
  subagentRunId,
  isSent: false,
  grown: new Map(),
});

const hasGrownEnough = (length: number, added: number): boolean =>
  length <= smallLength || added >= length / 8;

function addLength({ grown }: SharedObject, { path, delta }: { path: string; delta: string }): void {
  grown.set(path, (grown.get(path) ?? 0) + delta.length);
}

const hasText = ({ state, isSent }: SharedObject, path: string): boolean =>
  isSent && typeof valueAt(state?.data, path.split(".")) === "string";

/** A change whose value is known only after the fold. */
interface PlannedOperation {
  op: "add" | "replace";
  segments: string[];
  /** Given by the chunk. Otherwise it is what the object has at its place. */
  given?: { value: unknown };
}

/** @param data - The object before the change. @returns undefined if only the whole object can show the change. */
function planChange(data: unknown, chunk: StructuredDataChunk): PlannedOperation[] | undefined {
  if (chunk.kind === "final") return undefined;
  const segments = chunk.path.split(".");
  // A root that does not exist, or will not fit.
  if (typeof data !== "object" || data === null) return undefined;
  let container: unknown = data;
  for (const [depth, segment] of segments.entries()) {
    const inner = ownValue(container, segment);
    const isLast = depth === segments.length - 1;
    if (inner === undefined) {
      return [{ op: "add", segments: segments.slice(0, depth + 1) }];
    }
    if (!isLast) container = inner;
    else if (chunk.kind === "append" && Array.isArray(inner)) {
      return chunk.items.map((value) => ({ op: "add", segments: [...segments, "-"], given: { value } }));
    }
  }
  const given = chunk.kind === "set" ? { given: { value: chunk.value } } : {};
  return [{ op: "replace", segments, ...given }];
}

function withValue({ op, segments, given }: PlannedOperation, object: SharedObject): AGUIPatchOperation {
  // The client may keep the value: it must not change any more.
  if (!given) object.owned.release();
  const value = given ? given.value : valueAt(object.state?.data, segments);
  return { op, path: toPointer(segments), value };
}

const toPointer = (segments: string[]): string =>
  segments.map((segment) => `/${segment.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

const ownValue = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

const valueAt = (data: unknown, segments: string[]): unknown => segments.reduce(ownValue, data);
