/** The types of an application as its compiler checks them, against the declarations as they are published. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const { resolve } = createRequire(import.meta.url);
/** Inside this package, so that the programs find the packages. */
const folder = fileURLToPath(new URL("../.tmp/own-types/", import.meta.url));

const compilerOptions = {
  target: "es2022",
  module: "nodenext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"],
  lib: ["es2023", "dom", "dom.iterable"],
};

/** @returns the compiler's messages about the files, including those of several lines. */
function compile(compiler: string, files: string[]): string {
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(dirname(resolve(`${compiler}/package.json`)), "bin/tsc");
  return spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { encoding: "utf8" }).stdout;
}

const prelude = `
import { createChat, type ChatTypes, StreamError } from "@kortyx/client";
import { type ChatAgent, createChatRoute, createStructuredStreamWriter, toSSE } from "@kortyx/server";
interface AppTypes extends ChatTypes {
  context: { tenant: string };
  metadata: { draft: boolean };
  tools: { search: { input: { query: string }; output: string[] } };
  structured: { recipe: { title: string } };
}
async function* one<Chunk>(chunk: Chunk) { yield chunk; }
`;

/** Mistakes, and what the compiler must name: the field, not the kind of iterable. */
const mistakes: [name: string, code: string, named: RegExp][] = [
  [
    "a required field in a generator for toSSE",
    `toSSE((async function* () { yield { type: "text-delta", dleta: "a" }; })());`,
    /Property 'delta' is missing in type '\{ type: "text-delta"; dleta: string; \}'/,
  ],
  [
    "a required field in a generator function for toSSE",
    `toSSE(async function* () { yield { type: "text-delta", dleta: "a" }; });`,
    /Property 'delta' is missing/,
  ],
  [
    "a required field in a promise for toSSE",
    `toSSE(Promise.resolve(one({ type: "text-delta" as const, dleta: "a" })));`,
    /Property 'delta' is missing/,
  ],
  [
    "an optional field in an array for toSSE",
    `toSSE([{ type: "text-delta", delta: "a", segmentid: "1" }]);`,
    /'segmentid' does not exist in type 'TextDeltaChunk'\. Did you mean to write 'segmentId'/,
  ],
  [
    "a required field in an agent",
    `export const agent: ChatAgent = { async *streamChat() { yield { type: "text-delta", dleta: "a" }; } };`,
    /Property 'delta' is missing/,
  ],
  [
    "a required field in the agent of a route",
    `createChatRoute({ agent: { async *streamChat() { yield { type: "text-delta", dleta: "a" }; } } });`,
    /Property 'delta' is missing/,
  ],
  [
    "a tool",
    `export const agent: ChatAgent<AppTypes> = { async *streamChat() { yield { type: "tool-call-start", tool: "serach", toolCallId: "1" }; } };`,
    /Types of property 'tool' are incompatible/,
  ],
  [
    "a field of a tool's input",
    `export const agent: ChatAgent<AppTypes> = { async *streamChat() { yield { type: "tool-call-ready", tool: "search", toolCallId: "1", input: { qury: "a" } }; } };`,
    /Property 'query' is missing in type '\{ qury: string; \}'/,
  ],
  [
    "a field of a structured object",
    `export const agent: ChatAgent<AppTypes> = { async *streamChat() { yield { type: "structured-data", streamId: "1", dataType: "recipe", kind: "final", data: { titel: "a" } }; } };`,
    /Property 'title' is missing in type '\{ titel: string; \}'/,
  ],
  [
    "a chunk of an undeclared type",
    `toSSE(one({ type: "x-weather" as const, celsius: 21 }));`,
    /Type '\{ type: "x-weather"; celsius: number; \}' is not assignable to type 'SourceChunk/,
  ],
  [
    "a path of a structured object",
    `createStructuredStreamWriter<AppTypes, "recipe">({ dataType: "recipe", streamId: "1" }).set("titel", "a");`,
    /Argument of type '"titel"' is not assignable to parameter of type '"title"'/,
  ],
  [
    "a schema",
    `createChatRoute({ agent: {} as ChatAgent<AppTypes>, schemas: { contxt: {} as never } });`,
    /'contxt' does not exist in type 'RouteSchemas<AppTypes>'/,
  ],
  [
    "a field of the context of a chat",
    `createChat<AppTypes>({ endpoint: "/", context: { tennant: "a" } });`,
    /'tennant' does not exist in type '\{ tenant: string; \}'/,
  ],
  [
    "a field of the metadata of a message",
    `createChat<AppTypes>({ endpoint: "/", context: { tenant: "a" } }).send({ content: "", metadata: { darft: true } });`,
    /'darft' does not exist in type '\{ draft: boolean; \}'/,
  ],
  [
    "the code of an error",
    `export const isCut = (error: StreamError) => { switch (error.code) { case "truncatd": return true; default: return false; } };`,
    /Type '"truncatd"' is not comparable to type 'StreamErrorCode'/,
  ],
];

const fileOf = (index: number): string => `mistake-${index}.ts`;

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  copyFileSync(new URL("../fixtures/own-types.ts", import.meta.url), join(folder, "application.ts"));
  for (const [index, [, code]] of mistakes.entries())
    writeFileSync(join(folder, fileOf(index)), prelude + code);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(["typescript", "typescript-5"])("%s", (compiler) => {
  test("an application that declares its types once is checked at both ends", () => {
    expect(compile(compiler, ["application.ts"])).toBe("");
  });

  test("a mistake is reported at its file, and the message names the field", () => {
    const output = compile(
      compiler,
      mistakes.map((_, index) => fileOf(index)),
    );
    const messages = output.split(/^(?=\S)/m);
    for (const [index, [name, , named]] of mistakes.entries()) {
      const own = messages.filter((message) => message.includes(fileOf(index))).join("");
      expect(own, name).toMatch(named);
      expect(own, name).not.toMatch(/ReadableStream|getReader/);
    }
  });
});
