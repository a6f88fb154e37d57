/** docs/protocol.md against the schemas, the golden transcripts and the codes that the other pages list. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createBodySchema, createKnownPartSchema } from "@kortyx/protocol/internal/request-schemas";
import { streamChunkSchema } from "@kortyx/protocol/schemas";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { fillTables, protocolPage } from "../protocol-page/tables.ts";
import { repository } from "./readme-snippets.ts";

type Schema = z.core.JSONSchema.JSONSchema;

const page = readFileSync(protocolPage, "utf8");

/** The fields that the page gives an object: `name?: type`, by their heading. A link to shared fields is followed. */
function fieldsOn(heading: string): Record<string, string> {
  const [, section = ""] = page.split(new RegExp(`^#### .?${heading}(?:\`|: .*)?$`, "m"));
  const [own = ""] = section.split(/^#{2,4} /m);
  const rows = [...own.matchAll(/^\| `([\w?]+)` \| (.*?) \| .* \|$/gm)].map(([, name, type]) => [
    name!,
    type!,
  ]);
  const [, shared = ""] = /^Also the fields of (.*)\.$/m.exec(own) ?? [];
  const linked = [...shared.matchAll(/\[(\w+)\]/g)].map(([, name]) => fieldsOn(name!));
  return Object.assign({}, ...linked, Object.fromEntries(rows));
}

/** The same of schemas that share a heading. */
function fieldsIn(schemas: Schema[]): Record<string, string> {
  const fields = schemas.flatMap((schema) =>
    Object.entries(schema.properties ?? {})
      .filter(([name]) => name !== "type" && !(name === "kind" && schemas.length > 1))
      .map(([name, field]) => [schema.required?.includes(name) ? name : `${name}?`, typeOf(field as Schema)]),
  );
  return Object.fromEntries(fields);
}

/** A type in the words of the page; "…" for one that the page describes more closely. */
function typeOf(schema: Schema): string {
  const members = (schema.anyOf ?? schema.oneOf ?? [schema]) as Schema[];
  const [only, ...others] = members.filter(({ type }) => type !== "null");
  if (only === undefined || others.length > 0) return "…";
  if (only.anyOf !== undefined || only.oneOf !== undefined) return typeOf(only);
  const { type, items, properties, enum: values, const: constant } = only;
  if (properties !== undefined || values !== undefined || constant !== undefined) return "…";
  if (type === "array") return `list of ${typeOf(items as Schema)}`;
  if (Array.isArray(type)) return type.filter((one) => one !== "null").join();
  return type === undefined ? "any JSON value" : type === "integer" ? "integer, 0 or more" : type;
}

/** Replaces what {@link typeOf} does not read. An open list of values is a string to the schema. */
const simplified = (fields: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, type]) => [
      name,
      type
        .replace(/^.*another string$|^\[(?:FinishReason|ToolExecutor)\].*$/, "string")
        .replace(/^(list of )?(?:\[|`|string or list).*$/, "$1…")
        .replace("object of strings", "any JSON value"),
    ]),
  );

test("the tables and examples are those of the interfaces and the transcripts", () => {
  expect(page, "Run node apps/e2e/protocol-page/tables.ts.").toBe(fillTables(page));
});

const chunks = (z.toJSONSchema(streamChunkSchema).oneOf as Schema[]).flatMap(
  (one) => (one.oneOf ?? [one]) as Schema[],
);
const typeName = (schema: Schema) => String((schema.properties!.type as Schema).const);

test.each([...new Set(chunks.map(typeName))])("the page gives %s the fields of its schema", (type) => {
  const schemas = chunks.filter((schema) => typeName(schema) === type);
  expect(simplified(fieldsOn(type))).toEqual(fieldsIn(schemas));
});

describe("the request", () => {
  const options = { io: "input", unrepresentable: "any" } as const;
  const body = z.toJSONSchema(createBodySchema(), options);
  const list = (name: string) => itemsOf(body.properties![name] as Schema);
  const itemsOf = (schema: Schema) =>
    ((schema.anyOf as Schema[]) ?? [schema]).find(({ items }) => items !== undefined)!.items as Schema;
  const message = list("messages");
  const parts = z.toJSONSchema(createKnownPartSchema(), options);
  const schemas: [string, Schema][] = [
    ["ChatRequestBody", body],
    ["ChatMessage", message],
    ["InterruptAnswer", list("resumes")],
    ["ClientToolResult", list("toolResults")],
    ["ClientTool", list("tools")],
    ...(parts.oneOf as Schema[]).map((part): [string, Schema] => [
      `${typeName(part).replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}MessagePart`,
      part,
    ]),
  ];
  test.each(schemas)("the page gives %s the fields of its schema", (name, schema) => {
    // The schema does not name an optional field that takes any value, and hides one that a function checks.
    const named = (fields: Record<string, string>) =>
      Object.fromEntries(
        Object.entries(fields).filter(([field, type]) => !(field.endsWith("?") && type === "any JSON value")),
      );
    expect(named(simplified(fieldsOn(name)))).toEqual(named(fieldsIn([schema])));
  });
});

test("the page lists the statuses and codes of the other pages", () => {
  const rowsOf = (text: string) =>
    [...text.matchAll(/^\| (\d{3}) (?:\| )?(.*?) \|/gm)].flatMap(([, status, codes]) =>
      [...codes!.matchAll(/`([a-z-]+)`/g)].map(([, code]) => `${status} ${code}`),
    );
  const others = ["docs/errors.md", "docs/runs.md", "docs/approvals.md"].flatMap((file) =>
    rowsOf(readFileSync(join(repository, file), "utf8")),
  );
  expect(new Set(rowsOf(page))).toEqual(new Set(others));
});

test("every section is numbered in order, and in the list of contents", () => {
  const numbers = [...page.matchAll(/^## (\d+)\. (.*)$/gm)].map(([, number, title]) => [number, title]);
  expect(numbers.map(([number]) => Number(number))).toEqual(numbers.map((_, index) => index + 1));
  const listed = [...page.matchAll(/^(\d+)\. \[(.*?)\]\(#/gm)].map(([, number, title]) => [number, title]);
  expect(listed).toEqual(numbers);
});
