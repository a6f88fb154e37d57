/** Random chunks of every shape in the zod schemas, so that a new chunk type needs no edit here. */
import fc from "fast-check";
import { chunkSchemas, type JSONSchema, membersOf } from "../generate-chunk-table.ts";
import type { StreamChunk } from "../src/chunks.ts";

/** Any text, including lone surrogates, NUL, line breaks, U+2028 and whatever else could trip up SSE or JSON. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom(
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\0",
    "\u2028",
    "\ud800",
    "\udc00x",
    "[DONE]",
    "data: x\n\n",
    "語\u{1f600}",
    "",
  ),
);

/** Any JSON value. The round trip removes negative zero, which JSON does not write. */
export const anyJSON: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 3, stringUnit: "binary" })
  .map((value) => JSON.parse(JSON.stringify(value)));

const anyRecord = fc.dictionary(anyText, anyJSON, { maxKeys: 3 });

/** One shape of chunk: its literal fields, and an arbitrary for each other field. */
export interface Variant {
  literals: Record<string, string>;
  required: Record<string, fc.Arbitrary<unknown>>;
  optional: Record<string, fc.Arbitrary<unknown>>;
}

function arbitraryOf(schema: JSONSchema): fc.Arbitrary<unknown> {
  const [first, ...others] = membersOf(schema).map(arbitraryOfMember);
  return others.length === 0 ? first! : fc.oneof(first!, ...others);
}

function arbitraryOfMember(schema: JSONSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string":
      return anyText;
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: schema.minimum!, max: schema.maximum! });
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }).map((value) => value + 0);
    case "array":
      return fc.array(arbitraryOf(schema.items as JSONSchema), { maxLength: 3 });
    case "object":
      return schema.properties === undefined ? anyRecord : anyObject(schema);
    default:
      return anyJSON;
  }
}

function fieldsOf({ properties = {}, required = [] }: JSONSchema): Omit<Variant, "literals"> {
  const fields = Object.entries(properties).map(([name, field]) => {
    return { name, arbitrary: arbitraryOf(field as JSONSchema), isRequired: required.includes(name) };
  });
  const pick = (isRequired: boolean) =>
    Object.fromEntries(
      fields
        .filter((field) => field.isRequired === isRequired)
        .map(({ name, arbitrary }) => [name, arbitrary]),
    );
  return { required: pick(true), optional: pick(false) };
}

function anyObject(schema: JSONSchema): fc.Arbitrary<unknown> {
  const { required, optional } = fieldsOf(schema);
  return fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) });
}

/** Every chunk of the contract, one entry for each shape. */
export const variants: Variant[] = chunkSchemas().map((schema) => {
  const constants = Object.entries(schema.properties!).flatMap(([name, field]) =>
    typeof field === "object" && field.const !== undefined ? [[name, String(field.const)]] : [],
  );
  const literals = Object.fromEntries(constants);
  const { required, optional } = fieldsOf(schema);
  return {
    literals,
    required: Object.fromEntries(Object.entries(required).filter(([name]) => !(name in literals))),
    optional,
  };
});

/** A valid chunk of one shape, with some of its optional fields and some unknown fields. */
export function chunkOf({ literals, required, optional }: Variant): fc.Arbitrary<StreamChunk> {
  const constants = Object.fromEntries(
    Object.entries(literals).map(([name, value]) => [name, fc.constant(value)]),
  );
  const known = fc.record(
    { ...constants, ...required, ...optional },
    { requiredKeys: [...Object.keys(constants), ...Object.keys(required)] },
  );
  const unknown = fc.dictionary(fc.constantFrom("x-new", "toString", "__proto__", "constructor"), anyJSON, {
    maxKeys: 2,
  });
  return fc.tuple(known, unknown).map(([fields, more]) => JSON.parse(JSON.stringify({ ...more, ...fields })));
}

/** A valid chunk of any shape. */
export const anyChunk: fc.Arbitrary<StreamChunk> = fc.oneof(...variants.map(chunkOf));

/** Texts with and without characters that JSON escapes. */
export const anyEscapedText = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    "",
    "語",
    "é",
    "😀",
    "\ud800",
    "\udc00",
    '"',
    "\\",
    "\n",
    "\u0000",
    "\u001f",
    "\u007f",
    "\u2028",
    "\uffff",
  ),
);
