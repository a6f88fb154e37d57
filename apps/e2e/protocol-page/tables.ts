/**
 * Writes the tables of docs/protocol.md: `node apps/e2e/protocol-page/tables.ts`. Fields and meanings come from the
 * interfaces, examples from the golden transcripts, so that nothing is written twice. The rules between the tables are
 * written by hand.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { repository } from "../test/readme-snippets.ts";
import { type Field, type Interface, interfaces, namedValues } from "./interfaces.ts";

/** The chunks in the order of the page, by section. */
const sections: Record<string, string[]> = {
  "Text and reasoning": [
    "text-start",
    "text-delta",
    "text-end",
    "message",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
  ],
  "Tool calls": [
    "tool-call-start",
    "tool-call-delta",
    "tool-call-ready",
    "tool-call-progress",
    "tool-call-result",
    "tool-call-error",
    "tool-call-denied",
    "tool-result",
  ],
  "Questions to the user": ["interrupt", "interrupt-resolved"],
  "Objects and application data": ["structured-data", "structured-data-invalidated", "data"],
  "Sources and files": ["source", "file"],
  "Progress and facts about the message": [
    "status",
    "step-start",
    "step-end",
    "metadata",
    "part-metadata",
    "trace",
  ],
  "Runs and sessions": ["run-start", "session", "checkpoint", "transition"],
  Endings: ["error", "abort", "done"],
};

/** Interfaces whose fields many chunks share: a table names them once. */
const shared = ["ChunkOrigin", "ProviderFields", "TokenUsage"];

/** The tables of chunks, from the third level of headings on. */
function printChunks(): string {
  const types = [...chunkInterfaces().keys()];
  const listed = Object.values(sections).flat();
  const missing = types.filter((type) => !listed.includes(type));
  if (missing.length > 0) throw new Error(`Add ${missing.join()} to a section of protocol-page/tables.ts.`);
  const printed = Object.entries(sections).map(
    ([title, types], index) => `### 8.${index + 1} ${title}\n\n${types.map(printChunk).join("\n\n")}`,
  );
  const last = printed.length + 1;
  return [...printed, `### 8.${last} Shared fields and values\n\n${printShared()}`].join("\n\n");
}

/** The tables of the request's body. */
function printRequest(): string {
  const names = ["ChatRequestBody", "ChatMessage", "InterruptAnswer", "ClientToolResult", "ClientTool"];
  return names.map(printInterface).join("\n\n");
}

/** The tables of the parts of a request's messages. */
function printMessageParts(): string {
  const names = [...interfaces.keys()].filter((name) => /^\w+MessagePart$/.test(name));
  return [...names.map(printInterface), printValues("SettledToolCallState")].join("\n\n");
}

/** The interfaces of each type of chunk: several if they differ by `kind`. */
function chunkInterfaces(): Map<string, Interface[]> {
  const byType = new Map<string, Interface[]>();
  for (const one of interfaces.values()) {
    const [type] = /Chunk$/.test(one.name) ? (one.literals.type ?? []) : [];
    if (type !== undefined) byType.set(type, [...(byType.get(type) ?? []), one]);
  }
  return byType;
}

function printChunk(type: string): string {
  const kinds = chunkInterfaces().get(type)!;
  const [first] = kinds as [Interface];
  const heading = `#### \`${type}\``;
  if (kinds.length === 1) {
    const body = [heading, wrap(first.meaning), printExample(type), printFields(first)];
    return body.filter(Boolean).join("\n\n");
  }
  const inAll = first.fields.filter(
    ({ name }) => name !== "kind" && kinds.every(({ fields }) => fields.some(isCalled(name))),
  );
  const printed = kinds.map((one) => {
    const [kind] = one.literals.kind!;
    const own = one.fields.filter(({ name }) => name !== "kind" && !inAll.some(isCalled(name)));
    return `With \`"kind": "${kind}"\`: ${one.meaning}\n\n${printExample(type, kind)}\n\n${printRows(own)}`;
  });
  return [
    heading,
    "One step in building an object. Its `kind` is one of four.",
    printRows(inAll),
    ...printed,
  ].join("\n\n");
}

const isCalled = (name: string) => (field: Field) => field.name === name;

function printInterface(name: string): string {
  const one = interfaces.get(name)!;
  const { type } = one.literals;
  const title = type === undefined ? name : `${name}: \`"type": "${type[0]}"\``;
  return [`#### ${title}`, wrap(one.meaning), printFields(one)].filter(Boolean).join("\n\n");
}

function printValues(name: string): string {
  const { meaning, values, isOpen } = namedValues.get(name)!;
  const quoted = values.map((value) => `\`"${value}"\``).join(", ");
  return `#### ${name}\n\n${wrap(meaning)}\n\n${wrap(`${quoted}${isOpen ? ", or another string" : ""}.`)}`;
}

/** Breaks lines as in the rest of the page. */
const wrap = (text: string): string => text.replaceAll(/(.{1,120})(?:\s+|$)/g, "$1\n").trimEnd();

function printFields({ name, fields }: Interface): string {
  const isInherited = ({ declaredBy }: Field) => shared.includes(declaredBy) && declaredBy !== name;
  const own = fields.filter((field) => !isInherited(field));
  const inherited = shared.filter((name) =>
    fields.some((field) => isInherited(field) && field.declaredBy === name),
  );
  const links = inherited.map((name) => `[${name}](#${name.toLowerCase()})`).join(" and ");
  return [printRows(own), links && `Also the fields of ${links}.`].filter(Boolean).join("\n\n");
}

/** A table of fields; empty if `type` is the only one. */
function printRows(fields: Field[]): string {
  const rows = fields
    .filter(({ name }) => name !== "type")
    .map(
      ({ name, isOptional, type, meaning }) =>
        `| \`${name}${isOptional ? "?" : ""}\` | ${type} | ${meaning.replaceAll("|", "\\|")} |`,
    );
  return rows.length === 0 ? "" : ["| field | type | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

function printShared(): string {
  const names = [
    "ChunkOrigin",
    "ProviderFields",
    "InterruptTextInput",
    "InterruptChoiceInput",
    "InterruptOption",
    "InterruptJSONInput",
    "Citation",
    "TokenUsage",
    "ModelUsage",
  ];
  const values = ["FinishReason", "ToolExecutor"];
  return [...names.map(printInterface), ...values.map(printValues)].join("\n\n");
}

type Chunk = Record<string, unknown>;

const transcripts = join(repository, "packages/protocol/transcripts");
const golden: Chunk[] = globSync("*/*.json", { cwd: transcripts, exclude: ["*/recorded-*"] })
  .sort()
  .flatMap((file) => JSON.parse(readFileSync(join(transcripts, file), "utf8")).entries)
  .map(({ chunk }: { chunk: Chunk }) => chunk);

/** The golden chunk with the most fields, among them the shortest. */
function printExample(type: string, kind?: string): string {
  const names = new Set(
    chunkInterfaces()
      .get(type)!
      .flatMap(({ fields }) => fields.map(({ name }) => name)),
  );
  const [best] = golden
    .filter((chunk) => chunk.type === type && (kind === undefined || chunk.kind === kind))
    .filter((chunk) => Object.keys(chunk).every((name) => names.has(name)))
    .map((chunk) => ({ fields: Object.keys(chunk).length, json: JSON.stringify(chunk) }))
    .filter(({ json }) => json.length <= 400 && !json.includes('""'))
    .map((one) => ({ ...one, isASCII: /^[ -~]*$/.test(one.json) }))
    .sort(
      (one, other) =>
        other.fields - one.fields ||
        Number(other.isASCII) - Number(one.isASCII) ||
        one.json.length - other.json.length,
    );
  if (best === undefined) throw new Error(`No transcript has a ${type} for the page to show.`);
  return `\`\`\`json\n${best.json}\n\`\`\``;
}

export const protocolPage: string = join(repository, "docs/protocol.md");

/** @returns the page with its tables as they should be. */
export function fillTables(page: string): string {
  const fill = (text: string, name: string, tables: string) => {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(\n<!-- /${name} -->)`);
    if (!place.test(text)) throw new Error(`docs/protocol.md has no <!-- ${name} --> and <!-- /${name} -->.`);
    return text.replace(place, (_, start: string, end: string) => `${start}\n${tables}\n${end}`);
  };
  const withRequest = fill(fill(page, "request", printRequest()), "message-parts", printMessageParts());
  return fill(withRequest, "chunks", printChunks());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(protocolPage, fillTables(readFileSync(protocolPage, "utf8")));
}
