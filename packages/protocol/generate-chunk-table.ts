/**
 * Writes `src/chunk-table.ts` from the zod schemas, so that a rule of the wire is written once. With `--check` it writes
 * nothing and fails if the file differs from what it would write.
 *
 * It works from the JSON Schema of the chunks, which does not include zod's `refine`: the property tests of
 * `check-chunk.ts` find where that makes a difference.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { streamChunkSchema } from "./src/chunk-schemas.ts";
import type { FieldsType, FieldType, FieldTypes, ObjectType } from "./src/chunk-shape.ts";

export type JSONSchema = z.core.JSONSchema.JSONSchema;

/** The JSON Schemas of all chunks, one for each shape. */
export const chunkSchemas = (): JSONSchema[] => membersOf(z.toJSONSchema(streamChunkSchema));

/** The members of a union, at every depth. A schema that is not a union is its own only member. */
export function membersOf(schema: JSONSchema): JSONSchema[] {
  const members = schema.oneOf ?? schema.anyOf;
  return members === undefined ? [schema] : members.flatMap((member) => membersOf(member as JSONSchema));
}

/** The table of the checker, as `src/chunk-table.ts` should have it. */
export function toChunkTable(schemas = chunkSchemas()): Record<string, ObjectType> {
  const typeOf = (schema: JSONSchema) => String(constantsOf(schema, "type")[0]);
  const types = new Set(schemas.map(typeOf));
  return Object.fromEntries(
    [...types].map((type) => [type, toObjectType(schemas.filter((schema) => typeOf(schema) === type))]),
  );
}

function toObjectType(members: JSONSchema[]): ObjectType {
  if (members.length === 1) return toFieldsType(members[0]!);
  const kinds: Record<string, FieldsType> = {};
  let allowsOtherKinds = false;
  for (const member of members) {
    const names = constantsOf(member, "kind");
    for (const name of names) kinds[String(name)] = toFieldsType(member);
    if (names.length === 0) allowsOtherKinds = true;
  }
  return allowsOtherKinds ? { kinds, allowsOtherKinds } : { kinds };
}

/** The values that a field of an object may have, where the schema lists them. */
function constantsOf(schema: JSONSchema, name: string): unknown[] {
  const field = schema.properties?.[name] as JSONSchema | undefined;
  return field?.enum ?? (field?.const === undefined ? [] : [field.const]);
}

function toFieldsType(schema: JSONSchema): FieldsType {
  const required: Record<string, FieldType> = {};
  const optional: Record<string, FieldType> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    // These fields have already selected the row.
    if (["type", "kind"].includes(name) && constantsOf(schema, name).length > 0) continue;
    if (schema.required?.includes(name)) required[name] = toFieldType(field as JSONSchema);
    else if (!same(field as JSONSchema, {})) optional[name] = toFieldType(field as JSONSchema);
  }
  return { ...unlessEmpty("required", required), ...unlessEmpty("optional", optional) };
}

const unlessEmpty = (name: string, fields: FieldTypes): FieldsType =>
  Object.keys(fields).length > 0 ? { [name]: fields } : {};

const same = (schema: JSONSchema, other: JSONSchema): boolean =>
  JSON.stringify(schema) === JSON.stringify(other);

const record: JSONSchema = { type: "object", propertyNames: { type: "string" }, additionalProperties: {} };
const natural: JSONSchema = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

function toFieldType(schema: JSONSchema): FieldType {
  const members = membersOf(schema);
  if (members.every(({ properties }) => properties !== undefined)) return toObjectType(members);
  const items = schema.items as JSONSchema;
  if (same(schema, { type: "array", items })) return { listOf: toFieldType(items) };
  if (same(schema, {})) return "JSON";
  if (same(schema, { type: "string" })) return "string";
  if (same(schema, { type: "boolean" })) return "boolean";
  if (same(schema, { type: "number" })) return "finite";
  if (same(schema, natural)) return "natural";
  if (same(schema, record)) return "record";
  throw new Error(`No type of chunk-shape.ts is ${JSON.stringify(schema)}: add one there and here.`);
}

function printTable(): string {
  const code = `/**
 * The fields of every chunk, for the checker: the rules of \`chunk-schemas.ts\` at a fraction of its size and time, so that
 * readers need no zod. Generated: change the schemas, then run \`node packages/protocol/generate-chunk-table.ts\`.
 */
import type { ObjectType } from "./chunk-shape.ts";
import type { StreamChunkType } from "./chunks.ts";

export const chunkTable: Readonly<Record<StreamChunkType, ObjectType>> = ${JSON.stringify(toChunkTable())};
`;
  const biome = createRequire(new URL("../../package.json", import.meta.url)).resolve(
    "@biomejs/biome/bin/biome",
  );
  const args = [biome, "format", "--stdin-file-path=packages/protocol/src/chunk-table.ts"];
  return execFileSync(process.execPath, args, {
    input: code,
    encoding: "utf8",
    cwd: new URL("../..", import.meta.url),
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL("src/chunk-table.ts", import.meta.url);
  const code = printTable();
  if (!process.argv.includes("--check")) {
    writeFileSync(file, code);
  } else if (readFileSync(file, "utf8") !== code) {
    console.error(
      "packages/protocol/src/chunk-table.ts does not match chunk-schemas.ts: run node packages/protocol/generate-chunk-table.ts.",
    );
    process.exitCode = 1;
  }
}
