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
/** From how many of a stream's chunks to learn: its JSON may never fit, or its names may never be the same. */
const maxLessons = 2 * maxShapes;
/** In UTF-16 code units. The cost of longer JSON is that of its characters, and expressions need memory for each. */
const maxLength = 4096;
/** Engines compile a pattern for each field; a peer that invents names must not keep them busy. */
const maxFields = 16;
/** Of a name, and of the text of a tag. */
const maxNameLength = 64;

/** The content of a JSON string; the characters after a backslash are not checked. */
const content = String.raw`[^"\\\0-\x1f]*(?:\\[^][^"\\\0-\x1f]*)*`;

/** The fields that choose which others there are. All other fields may be any string. */
const tags = new Set(["type", "kind"]);

type Fields = Record<string, string>;

interface Shape {
  /** Has all the fields, in their order. Those that are not tags are empty: a text could keep a whole piece in memory. */
  readonly template: Fields;
  /** The names of the fields that are not tags. */
  readonly names: readonly string[];
  /** Captures the content of each of them. */
  readonly pattern: RegExp;
}

/**
 * The shapes that streams have had, those that were read last first. Shared by all streams, because an engine takes
 * longer to compile an expression than to parse a hundred chunks.
 */
const sharedShapes: Shape[] = [];

/** Reads the chunks of one stream. */
export class FlatChunks {
  readonly #shapes: Shape[];
  #lessons = 0;

  constructor(shapes: Shape[] = sharedShapes) {
    this.#shapes = shapes;
  }

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

  /** @param chunk - The valid value that `JSON.parse` returned. */
  learn(chunk: StreamChunk): void {
    if (this.#lessons === maxLessons || !isFlat(chunk)) return;
    this.#lessons++;
    const shape = toShape(chunk);
    // Its JSON may have been printed in another way, with line breaks or needless escapes.
    if (this.#shapes.some(({ pattern }) => pattern.source === shape.pattern.source)) return;
    if (this.#shapes.length === maxShapes) this.#shapes.pop();
    this.#shapes.push(shape);
  }
}

function isFlat(chunk: object): chunk is Fields {
  // Most chunks that are not flat fail here, and each of them is looked at.
  for (const name in chunk) if (typeof (chunk as Record<string, unknown>)[name] !== "string") return false;
  const fields = Object.entries(chunk as Fields);
  return fields.length <= maxFields && fields.every(([name, text]) => isPlainField(name, text));
}

/** Engines move some names to the front, or give them a meaning. */
const isPlainField = (name: string, text: string): boolean =>
  name.length <= maxNameLength &&
  !/^(?:\d|__proto__$)/.test(name) &&
  !(tags.has(name) && text.length > maxNameLength);

function toShape(chunk: Fields): Shape {
  const entries = Object.entries(chunk);
  const fields = entries.map(([name, value]) => {
    const text = tags.has(name) ? escapePattern(JSON.stringify(value)) : `"(${content})"`;
    // Some languages print a space here.
    return `${escapePattern(JSON.stringify(name))}: ?${text}`;
  });
  return {
    template: Object.fromEntries(entries.map(([name, value]) => [name, tags.has(name) ? value : ""])),
    names: Object.keys(chunk).filter((name) => !tags.has(name)),
    pattern: new RegExp(`^\\{${fields.join(", ?")}\\}$`),
  };
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

function fill({ template, names }: Shape, found: RegExpExecArray): StreamChunk | undefined {
  const chunk = { ...template };
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
