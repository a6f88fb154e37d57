/**
 * A fast path around JSON for reading. The chunks of an answer differ from earlier ones in nothing but a text, `delta`
 * or `message`. The JSON before and after that text is kept as a template; the next chunk is the template with another
 * text. Returns exactly what JSON and the checker would, or `undefined` and leaves the event to them.
 *
 * Source: ECMA-404, section 9 "Strings".
 */
import type { StreamChunk } from "./chunks.ts";

/** This many kinds of chunks may take turns, such as the input of tools that are called at once. */
const maxTemplates = 4;
/** How many chunks are not kept after templates that never matched. */
const pauseLength = 100;
/** In UTF-16 code units. Longer JSON gains nothing: its characters cost more than the chunk around them. */
const maxLength = 4096;

/** What JSON allows between the quotes of a string. */
const content = String.raw`[^"\\\0-\x1f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\0-\x1f]*)*`;
const isContent = new RegExp(`^${content}$`);
/** The property that holds the text, and what comes before its content. */
const properties = {
  delta: new RegExp(`("delta"\\s*:\\s*")${content}`),
  message: new RegExp(`("message"\\s*:\\s*")${content}`),
};

type TextName = keyof typeof properties;
type Fields = Record<string, unknown>;

interface Template {
  /** The JSON before the text and after it, with its quotes. */
  readonly head: string;
  readonly tail: string;
  readonly textName: TextName;
  readonly chunk: Fields;
  /** The names of the fields that hold objects, which no two chunks may share. */
  readonly objectNames: readonly string[];
  hasMatched: boolean;
}

/** The templates of one stream. */
export class ChunkTemplates {
  /** The newest first. */
  #templates: Template[] = [];
  /** How many more chunks are not kept. */
  #pause = 0;

  /** @returns the chunk, if `json` is that of an earlier chunk with another text. */
  read(json: string): StreamChunk | undefined {
    if (json.length > maxLength) return undefined;
    for (const template of this.#templates) {
      const text = readText(json, template);
      if (text === undefined) continue;
      template.hasMatched = true;
      return fill(template, text);
    }
    return undefined;
  }

  /**
   * Keeps the chunk as a template, if it has a text.
   *
   * @param parsed - What `json` parses to. The chunk is that, or a repaired copy.
   */
  add(json: string, parsed: Fields, chunk: StreamChunk): void {
    const textName = "delta" in parsed ? "delta" : "message";
    if (typeof parsed[textName] !== "string" || json.length > maxLength) return;
    if (this.#pause > 0) {
      this.#pause--;
      return;
    }
    const around = findText(json, textName, parsed[textName]);
    if (around === undefined) {
      this.#pause = pauseLength;
      return;
    }
    if (this.#templates.length === maxTemplates) this.#makeRoom();
    const copy = copyOf(chunk) as Fields;
    const objectNames = Object.keys(copy).filter((name) => isObject(copy[name]));
    this.#templates.unshift({ ...around, textName, chunk: copy, objectNames, hasMatched: false });
  }

  #makeRoom(): void {
    const matched = this.#templates.filter(({ hasMatched }) => hasMatched);
    if (matched.length === maxTemplates) matched.pop();
    // Another field also differs from chunk to chunk, such as a number.
    else this.#pause = pauseLength;
    this.#templates = matched;
  }
}

function readText(json: string, { head, tail }: Template): string | undefined {
  const end = json.length - tail.length;
  if (end < head.length) return undefined;
  // `startsWith` and `endsWith` are several times slower on a slice of a longer string, which `json` is.
  if (json.indexOf(tail, end) !== end || json.lastIndexOf(head, 0) !== 0) return undefined;
  const text = json.slice(head.length, end);
  return isContent.test(text) ? unescapeText(text) : undefined;
}

function fill({ chunk, textName, objectNames }: Template, text: string): StreamChunk {
  const filled = { ...chunk };
  filled[textName] = text;
  for (const name of objectNames) filled[name] = copyOf(filled[name]);
  return filled as unknown as StreamChunk;
}

/**
 * Finds the text by trying another one in its place. Finds none if an inner object has a property of that name before
 * it, if the name is written with escapes, or if it occurs twice.
 */
function findText(json: string, name: TextName, text: string): Pick<Template, "head" | "tail"> | undefined {
  const found = properties[name].exec(json);
  if (found === null) return undefined;
  const [property, start] = found;
  const textStart = found.index + start!.length;
  const other = text === "a" ? "b" : "a";
  const changed = json.slice(0, textStart) + other + json.slice(found.index + property.length);
  if (JSON.parse(changed)[name] !== other) return undefined;
  // Not slices of `json`, which may keep a whole network piece in memory.
  return { head: changed.slice(0, textStart), tail: changed.slice(textStart + other.length) };
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Copies a JSON value. */
function copyOf(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  // A spread also copies an own `__proto__`, which is then assigned as any other property.
  const copy: Fields = { ...value };
  for (const name of Object.keys(copy)) copy[name] = copyOf(copy[name]);
  return copy;
}

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

function unescapeText(text: string): string {
  let unescaped = "";
  let from = 0;
  for (let at = text.indexOf("\\"); at !== -1; at = text.indexOf("\\", from)) {
    const character = escapes[text[at + 1]!];
    if (character === undefined) return JSON.parse(`"${text}"`);
    unescaped += text.slice(from, at) + character;
    from = at + 2;
  }
  return from === 0 ? text : unescaped + text.slice(from);
}
