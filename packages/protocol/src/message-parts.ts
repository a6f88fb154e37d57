/**
 * The list of a message's parts, in the order in which they began, and the names by which later chunks find them. Knows
 * no chunks; decides neither where a part begins nor what is in it.
 */
import { closePart, type MessagePart } from "./assistant-message.ts";

/** Changes in place. Each change takes constant time. */
export class MessageParts {
  /** A removed part leaves a hole, so that indices never shift. */
  readonly #parts: (MessagePart | undefined)[] = [];
  #hasHoles = false;
  /** The index of the latest part with each name, by type. */
  readonly #indices = new Map<string, Map<string, number>>();
  #list: readonly MessagePart[] | undefined;

  /** The same array until something changes; unchanged parts keep their identity. */
  get list(): readonly MessagePart[] {
    this.#list ??= (this.#hasHoles ? this.#parts.filter(Boolean) : this.#parts.slice()) as MessagePart[];
    return this.#list;
  }

  /** @returns undefined if the part was removed. */
  at(index: number): MessagePart | undefined {
    return this.#parts[index];
  }

  /** @returns the index of the latest part of this type with this {@link nameOf name}. */
  indexOf(type: MessagePart["type"], name: string | undefined): number | undefined {
    return name === undefined ? undefined : this.#indices.get(type)?.get(name);
  }

  /** @returns its index. */
  add(part: MessagePart): number {
    const index = this.#parts.length;
    const name = nameOf(part);
    if (name !== undefined) this.#name(part.type, name, index);
    this.set(index, part);
    return index;
  }

  set(index: number, part: MessagePart): void {
    if (part === this.#parts[index]) return;
    this.#list = undefined;
    this.#parts[index] = part;
  }

  remove(index: number): void {
    const part = this.#parts[index];
    if (part === undefined) return;
    this.#list = undefined;
    this.#indices.get(part.type)?.delete(nameOf(part) ?? "");
    this.#parts[index] = undefined;
    this.#hasHoles = true;
  }

  #name(type: MessagePart["type"], name: string, index: number): void {
    const indices = this.#indices.get(type);
    if (indices) indices.set(name, index);
    else this.#indices.set(type, new Map([[name, index]]));
  }

  /** Closes a part. A text without a delta is removed, unless its provider wants something back. */
  close(index: number, isWaiting = false): void {
    const part = this.#parts[index];
    if (part === undefined) return;
    const isText = part.type === "text" || part.type === "reasoning";
    if (isText && part.text === "" && !part.providerMetadata) this.remove(index);
    else this.set(index, closePart(part, isWaiting));
  }

  /**
   * Closes every part.
   *
   * @param isWaiting - Calls keep waiting, and those of `approved` keep running: the rest of the answer runs them.
   */
  closeAll(isWaiting: boolean, approved: ReadonlySet<number>): void {
    for (const [index, part] of this.#parts.entries()) {
      const isRunning = part?.type === "tool-call" && part.state === "running";
      if (!(isRunning && isWaiting && approved.has(index))) this.close(index, isWaiting);
    }
  }
}

/** @returns what later chunks call the part by, unique among parts of its type; undefined if they cannot. */
export function nameOf(part: MessagePart): string | undefined {
  switch (part.type) {
    case "data":
      // The length separates the name from the id.
      return part.id === undefined ? undefined : `${part.name.length}:${part.name}${part.id}`;
    case "file":
      return part.id;
    case "structured-data":
      return part.streamId;
    case "interrupt":
      return part.requestId;
    default:
      return undefined;
  }
}
