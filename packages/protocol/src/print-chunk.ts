/**
 * Checks and prints a chunk in one walk over its fields: the fast path of everything that is sent. Prints exactly what
 * the checker and `JSON.stringify` would, or returns `undefined` and leaves the value to them, which repair it or
 * describe the problem.
 *
 * What makes it fast: the opening of each field is kept as text, the fields of one type usually come in the same order,
 * and most texts need no escapes.
 *
 * Source: ECMA-262, SerializeJSONObject and QuoteJSONString.
 */
import { checkField } from "./check-chunk.ts";
import {
  chunkTypeOf,
  type FieldsType,
  type FieldType,
  isRecord,
  type KindsType,
  type ObjectType,
  rulesOf,
} from "./chunk-shape.ts";

/** A place in the walk: before the first field, or at a field. */
interface Step {
  /** The field that followed this place last time. */
  next: FieldPrinter | undefined;
}

/** Prints one field, at the beginning of an object or after another field. */
interface FieldPrinter extends Step {
  readonly name: string;
  /** Undefined for a field that the contract does not name: it may have any value. */
  readonly type: FieldType | undefined;
  readonly isRequired: boolean;
  /** Whether it may be a string. No type accepts only some strings. */
  readonly takesText: boolean;
  /** `{"name":` or `,"name":`. */
  readonly opening: string;
  readonly textOpening: string;
  /** A text that the field has had, often the id of the current stream, … */
  text: string | undefined;
  /** … and the whole field with it. */
  printedText: string;
  /** Counts the other texts, in a circle. */
  newTexts: number;
}

/** Prints the chunks of one type, or those of one kind of that type. */
interface ShapePrinter extends Step {
  readonly fields: FieldsType;
  /** The fields that choose the shape, such as `type`. The table does not contain them. */
  readonly tags: readonly string[];
  readonly requiredCount: number;
  readonly firstFields: Map<string, FieldPrinter>;
  readonly otherFields: Map<string, FieldPrinter>;
}

/** The first of this many new texts is kept: a delta is new in each chunk, an id once per stream. */
const newTextsPerKept = 32;
/** Longer texts, and fields with a longer name, are not kept. */
const maxKeptLength = 64;
/** Fields that the contract does not name can have any name: at most this many are kept. */
const maxFields = 64;

/**
 * Characters that are escaped: those that JSON escapes, and the line breaks U+0085, U+2028 and U+2029. Surrogates are
 * left to JSON, which escapes the unpaired ones.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters.
const needsEscape = /["\\\x00-\x1f\u0085\u2028\u2029\ud800-\udfff]/;

/**
 * Unicode line breaks that JSON does not escape. SSE does not end a line at them, but a reader that splits lines like
 * Python's `str.splitlines()` would break a chunk apart.
 */
const rawLineBreaks = /[\u0085\u2028\u2029]/g;

/** @returns the JSON text of a valid chunk; `undefined` for any other value, and for some unusual chunks. */
export function printPlainChunk(value: unknown): string | undefined {
  if (!isPlain(value)) return undefined;
  const shape = shapeOf(value);
  if (shape === undefined) return undefined;
  let json = "";
  let requiredCount = 0;
  let step: Step = shape;
  // A field is read once, so that what is printed is what was checked.
  for (const name in value) {
    const inner = value[name];
    if (inner === undefined) continue;
    const expected: FieldPrinter | undefined = step.next;
    const field = expected !== undefined && expected.name === name ? expected : follow(shape, step, name);
    const printed = inner === field.text ? field.printedText : printField(field, inner);
    if (printed === undefined) return undefined;
    json += printed;
    if (field.isRequired) requiredCount++;
    step = field;
  }
  if (requiredCount !== shape.requiredCount) return undefined;
  // Properties of a polluted prototype come after the object's own.
  return Object.hasOwn(value, (step as FieldPrinter).name) ? `${json}}` : undefined;
}

/** @returns the text of `JSON.stringify`, without raw line breaks of any kind. */
export function printJSON(value: unknown): string | undefined {
  const json = JSON.stringify(value) as string | undefined;
  return json !== undefined && hasRawLineBreak(json) ? json.replace(rawLineBreaks, escapeCharacter) : json;
}

/** Objects with another prototype or with toJSON() are left to JSON. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isRecord(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && value.toJSON === undefined;
}

/** The printers of one type: one for all its chunks, or one for each kind. */
interface TypePrinters {
  readonly shape: ShapePrinter | undefined;
  readonly byKind: ReadonlyMap<unknown, ShapePrinter> | undefined;
}

const noPrinters: TypePrinters = { shape: undefined, byKind: undefined };

const printersByType = new Map<unknown, TypePrinters>();

/** Consecutive chunks usually share a type, and comparing is cheaper than hashing a fresh string. */
let lastType: unknown;
let lastPrinters: TypePrinters = noPrinters;

function shapeOf(value: Record<string, unknown>): ShapePrinter | undefined {
  const { type } = value;
  const { shape, byKind } = type === lastType ? lastPrinters : printersOf(type);
  return shape ?? byKind?.get(value.kind);
}

function printersOf(type: unknown): TypePrinters {
  const fields = chunkTypeOf(type);
  // A chunk of a type that this version does not know is passed on unchecked. Its type, of any size, is not kept.
  if (fields === undefined) return typeof type === "string" ? unknownPrinters : noPrinters;
  lastType = type;
  lastPrinters = printersByType.get(type) ?? createPrinters(type as string, fields);
  return lastPrinters;
}

function createPrinters(type: string, fields: ObjectType): TypePrinters {
  const created: TypePrinters =
    "kinds" in fields
      ? { shape: undefined, byKind: createKinds(fields) }
      : { shape: createShape(fields, "type"), byKind: undefined };
  printersByType.set(toOwnCopy(type), created);
  return created;
}

const createKinds = ({ kinds }: KindsType): ReadonlyMap<unknown, ShapePrinter> =>
  new Map(Object.entries(kinds).map(([kind, fields]) => [kind, createShape(fields, "type", "kind")]));

const createShape = (fields: FieldsType, ...tags: string[]): ShapePrinter => ({
  fields,
  tags,
  requiredCount: rulesOf(fields).requiredCount + tags.length,
  firstFields: new Map(),
  otherFields: new Map(),
  next: undefined,
});

const unknownPrinters: TypePrinters = { shape: createShape({}, "type"), byKind: undefined };

/** @returns the printer of the field that follows `step`, where it is expected from now on. */
function follow(shape: ShapePrinter, step: Step, name: string): FieldPrinter {
  const isFirst = step === shape;
  const fields = isFirst ? shape.firstFields : shape.otherFields;
  let field = fields.get(name);
  if (field === undefined) {
    field = createField(shape, name, isFirst ? "{" : ",");
    if (fields.size === maxFields || name.length > maxKeptLength) return field;
    fields.set(name, field);
  }
  step.next = field;
  return field;
}

function createField({ fields, tags }: ShapePrinter, name: string, separator: string): FieldPrinter {
  const rule = rulesOf(fields).byName.get(name);
  const opening = `${separator}${printJSON(name)}:`;
  return {
    name,
    type: rule?.type,
    isRequired: rule?.isRequired === true || tags.includes(name),
    takesText: rule === undefined || checkField("", rule.type) === undefined,
    opening,
    textOpening: `${opening}"`,
    text: undefined,
    printedText: "",
    newTexts: 0,
    next: undefined,
  };
}

/** @returns the field with its name; `undefined` if the value is not valid or unusual. */
function printField(field: FieldPrinter, value: unknown): string | undefined {
  if (typeof value === "string") return field.takesText ? printTextField(field, value) : undefined;
  if (field.type !== undefined && checkField(value, field.type) !== undefined) return undefined;
  const json = printValue(value);
  return json === undefined ? undefined : field.opening + json;
}

function printTextField(field: FieldPrinter, text: string): string {
  if (text.length > maxKeptLength || !isKept(field)) {
    return needsEscape.test(text) ? field.opening + printJSON(text) : `${field.textOpening}${text}"`;
  }
  field.text = toOwnCopy(text);
  // Joined, it is one string in memory. The engine would copy a sum of strings part by part, each time that it is sent.
  field.printedText = [field.opening, printJSON(text)].join("");
  return field.printedText;
}

/** @returns an equal text that shares no memory, as the names of properties do. A slice would keep the whole text. */
const toOwnCopy = (text: string): string => Object.keys({ [text]: 0 })[0]!;

function isKept(field: FieldPrinter): boolean {
  field.newTexts = (field.newTexts + 1) % newTextsPerKept;
  return field.newTexts === 1;
}

function printValue(value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? `${value}` : "null";
    case "boolean":
      return `${value}`;
    case "object":
      return value === null ? "null" : printObject(value);
    default:
      return undefined;
  }
}

function printObject(value: object): string | undefined {
  // JSON would call it with the name of the field.
  if ("toJSON" in value) return undefined;
  try {
    return printJSON(value);
  } catch {
    // The error that JSON throws for the whole chunk names the place in it.
    return undefined;
  }
}

/** Three single-character searches: several times faster than one regular expression. */
const hasRawLineBreak = (json: string): boolean =>
  json.includes("\u2028") || json.includes("\u2029") || json.includes("\u0085");

/** In JSON text these characters occur only inside strings, where the escape means the same. */
const escapeCharacter = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
