/**
 * The state of AG-UI, or one activity, as the chunks of a structured object. Keeps the document, because patches can do more
 * than these chunks: what they cannot say is sent as the nearest part that they can, at worst as the whole.
 */
import type { StreamChunk, StructuredDataChunk } from "@kortyx/protocol";
import { isSameJSON } from "@kortyx/protocol/internal";
import { applyPatch, type Change } from "./ag-ui-patch.ts";

/** The fields that all chunks of the object have. */
interface ObjectFields {
  streamId: string;
  dataType: string;
  node?: string | undefined;
}

/** What readers have of the document. */
type Shown = "nothing" | "growing" | "final";

/** One document, and the chunks of its changes. */
export class SharedDocument {
  readonly #fields: ObjectFields;
  #document: unknown;
  #shown: Shown = "nothing";

  /** @param document - What patches apply to before the first snapshot. */
  constructor(fields: ObjectFields, document: unknown) {
    this.#fields = fields;
    this.#document = document;
  }

  /** The document as it is now. */
  get document(): unknown {
    return this.#document;
  }

  /** The whole document. Only what differs is sent, if that is possible. */
  replace(document: unknown): StreamChunk[] {
    const before = this.#document;
    this.#document = document;
    if (this.#shown === "nothing") return this.#sendWhole();
    if (isSameJSON(before, document)) return [];
    const isGrowing = this.#shown === "growing" && isObject(before) && isObject(document);
    const hasAll = isGrowing && Object.keys(before).every((name) => Object.hasOwn(document, name));
    if (!hasAll || !Object.keys(document).every((name) => toPath([name]) !== undefined))
      return this.#sendWhole();
    return Object.entries(document)
      .filter(([name, value]) => !(Object.hasOwn(before, name) && isSameJSON(before[name], value)))
      .map(([name]) => this.#set([name], document)!);
  }

  /** @throws StreamProtocolError for a patch that does not fit. */
  patch(operations: unknown): StreamChunk[] {
    const { document, changes } = applyPatch(this.#document, operations);
    this.#document = document;
    if (changes.length === 0) return [];
    if (this.#shown !== "growing") return this.#sendWhole();
    const chunks = changes.map((change) => this.#toChunk(change));
    return chunks.every((chunk) => chunk !== undefined) ? chunks : this.#sendWhole();
  }

  /** @returns undefined if only the whole can show the change. */
  #toChunk({ kind, path, value, before, after }: Change): StreamChunk | undefined {
    const holder = path.slice(0, -1);
    // The rest of a list has moved, or a name is gone.
    if (kind !== "set") return this.#set(holder, after);
    const place = toPath(path);
    const list = toPath(holder);
    if (before === undefined && list !== undefined && Array.isArray(valueAt(after, holder))) {
      return { ...this.#common(), kind: "append", path: list, items: [value] };
    }
    const isGrown = typeof before === "string" && typeof value === "string" && value.startsWith(before);
    if (isGrown && place !== undefined) {
      return { ...this.#common(), kind: "text-delta", path: place, delta: value.slice(before.length) };
    }
    return this.#set(path, after);
  }

  /** Sets the value at the path, or what holds it where a name cannot be in a path. */
  #set(path: string[], document: unknown): StreamChunk | undefined {
    for (let length = path.length; length > 0; length--) {
      const names = path.slice(0, length);
      const place = toPath(names);
      if (place !== undefined) {
        return { ...this.#common(), kind: "set", path: place, value: valueAt(document, names) };
      }
    }
    return undefined;
  }

  #sendWhole(): StreamChunk[] {
    const { streamId } = this.#fields;
    const again: StreamChunk[] =
      this.#shown === "nothing" ? [] : [{ type: "structured-data-invalidated", streamId, checkpointId: "" }];
    const document = this.#document;
    const names = isObject(document) ? Object.keys(document) : [];
    // A first name that is a number would begin an array.
    const canGrow =
      names.length > 0 && names.every((name) => toPath([name]) !== undefined && !/^\d+$/.test(name));
    this.#shown = canGrow ? "growing" : "final";
    if (!canGrow) return [...again, { ...this.#common(), kind: "final", data: document ?? null }];
    return [...again, ...names.map((name) => this.#set([name], document)!)];
  }

  #common(): Pick<StructuredDataChunk, "type" | "streamId" | "dataType"> {
    return { type: "structured-data", ...this.#fields };
  }
}

/** @returns the path of a chunk; undefined if a chunk cannot name it. */
function toPath(path: string[]): string | undefined {
  const isNamed =
    path.length > 0 &&
    path.length <= 64 &&
    path.every((name) => !/^$|\.|^(__proto__|prototype|constructor)$/.test(name));
  return isNamed ? path.join(".") : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const valueAt = (document: unknown, path: string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], document);
