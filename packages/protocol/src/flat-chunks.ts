/**
 * A fast path around `JSON.parse` for chunks whose fields are all strings, which most are: deltas, with the ids of
 * their source. Their types, names and order are learned from chunks that were parsed and checked. Returns exactly what
 * JSON and the checker would, or `undefined` and leaves the text to them.
 *
 * Source: ECMA-404, section 9 "Strings".
 */
import type { StreamChunk } from "./chunks.ts";

/** What an answer is made of: text, reasoning, the input of tools, progress. */
const maxShapes = 8;
/** In UTF-16 code units. The cost of longer JSON is that of its characters, and expressions need memory for each. */
const maxLength = 4096;

/** The content of a JSON string, but for what follows a backslash. */
const content = String.raw`[^"\\\0-\x1f]*(?:\\[^][^"\\\0-\x1f]*)*`;

/** The fields that choose which others there are. All other fields may hold any string. */
const tags = new Set(["type", "kind"]);

type Fields = Record<string, string>;

interface Shape {
  /** Has all the fields, in their order. */
  readonly example: Fields;
  /** The names of the fields that are not tags. */
  readonly names: readonly string[];
  /** Captures the content of each of them. */
  readonly pattern: RegExp;
}

/** The shapes of one stream's chunks. */
export class FlatChunks {
  readonly #shapes: Shape[] = [];

  /** @returns the chunk, if the text has the fields of an earlier one. */
  read(json: string): StreamChunk | undefined {
    if (json.length > maxLength) return undefined;
    for (let index = 0; index < this.#shapes.length; index++) {
      const shape = this.#shapes[index]!;
      const found = shape.pattern.exec(json);
      if (found === null) continue;
      // The next chunk is probably like this one.
      this.#shapes[index] = this.#shapes[0]!;
      this.#shapes[0] = shape;
      return fill(shape, found);
    }
    return undefined;
  }

  /** @param chunk - What `JSON.parse` returned, found to be valid. */
  learn(chunk: StreamChunk): void {
    if (this.#shapes.length === maxShapes || !isFlat(chunk)) return;
    const shape = toShape(chunk);
    // Its JSON may have been printed in another way, with white space or needless escapes.
    if (!this.#shapes.some(({ pattern }) => pattern.source === shape.pattern.source))
      this.#shapes.push(shape);
  }
}

/** Engines move some names to the front, or give them a meaning. */
const isFlat = (chunk: object): chunk is Fields =>
  Object.entries(chunk).every(
    ([name, value]) => typeof value === "string" && name.length < 64 && !/^(?:\d|__proto__$)/.test(name),
  );

function toShape(chunk: Fields): Shape {
  const fields = Object.entries(chunk).map(([name, value]) => {
    const text = tags.has(name) ? escapePattern(JSON.stringify(value)) : `"(${content})"`;
    return `${escapePattern(JSON.stringify(name))}:${text}`;
  });
  return {
    example: { ...chunk },
    names: Object.keys(chunk).filter((name) => !tags.has(name)),
    pattern: new RegExp(`^\\{${fields.join(",")}\\}$`),
  };
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

function fill({ example, names }: Shape, found: RegExpExecArray): StreamChunk | undefined {
  const chunk = { ...example };
  for (let index = 0; index < names.length; index++) {
    const text = decodeText(found[index + 1]!);
    if (text === undefined) return undefined;
    chunk[names[index]!] = text;
  }
  return chunk as unknown as StreamChunk;
}

/** What follows the backslash, and what it stands for. `\u` is left to JSON. */
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** @param text - The content of a JSON string. @returns its value; `undefined` if it has an invalid escape. */
function decodeText(text: string): string | undefined {
  let decoded = "";
  let from = 0;
  for (let at = text.indexOf("\\"); at !== -1; at = text.indexOf("\\", from)) {
    const character = escapes[text[at + 1]!];
    if (character === undefined) return parseText(text);
    decoded += text.slice(from, at) + character;
    from = at + 2;
  }
  return from === 0 ? text : decoded + text.slice(from);
}

function parseText(text: string): string | undefined {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return undefined;
  }
}
