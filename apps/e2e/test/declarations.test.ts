/** The declarations, checked by a user's compiler: strict, without `skipLibCheck`, with the types of each runtime. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const { resolve } = createRequire(import.meta.url);
/** Inside this package, so that the program finds the packages and the types of the runtimes. */
const folder = fileURLToPath(new URL("../.tmp/declarations/", import.meta.url));

/** The entries of a package that contain declarations. */
function entriesOf(name: string): string[] {
  const manifest = new URL(`../../../packages/${name}/package.json`, import.meta.url);
  const { exports } = JSON.parse(readFileSync(manifest, "utf8"));
  return Object.entries<{ types?: string }>(exports)
    .filter(([, target]) => target.types !== undefined)
    .map(([subpath]) => `@kortyx/${name}${subpath.slice(1)}`);
}

const entries = ["protocol", "server", "client"].flatMap(entriesOf);

/** Entries that need Node's modules. */
const isNodeEntry = (entry: string): boolean => /server\/(node|sqlite|redis)$/.test(entry);

/** Imports entries and uses the options whose types come from the runtime. */
const programWith = (names: string[]): string => `
${names.map((name, index) => `import * as entry${index} from "${name}";`).join("\n")}
import { createChat, readStream, streamChatFromRoute } from "@kortyx/client";
import { type ChatAgent, createChatRoute, toSSE } from "@kortyx/server";

export const all = [${names.map((_, index) => `entry${index}`).join(", ")}];
const response: Response = toSSE([{ type: "done" }], { headers: { a: "b", connection: null } });
// @ts-expect-error: headers are not any
toSSE([{ type: "done" }], { headers: 42 });
streamChatFromRoute({ endpoint: "/", messages: [], headers: new Headers(), credentials: "include" });
streamChatFromRoute({ endpoint: "/", messages: [], headers: async () => ({ a: "b" }) });
// @ts-expect-error: headers are not any
streamChatFromRoute({ endpoint: "/", messages: [], headers: 42 });
// @ts-expect-error: credentials are not any
createChat({ endpoint: "/", credentials: 42 });
export const chunks = readStream(response);
declare const agent: ChatAgent;
agent.streamChat([], { sessionId: "s" });
createChatRoute({ agent });
`;

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "program.ts"), programWith(entries));
  writeFileSync(join(folder, "worker.ts"), programWith(entries.filter((entry) => !isNodeEntry(entry))));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the programs cover every entry", () => {
  expect(entries).toEqual([
    "@kortyx/protocol",
    "@kortyx/protocol/ag-ui",
    "@kortyx/protocol/ai-sdk",
    "@kortyx/protocol/internal",
    "@kortyx/protocol/internal/request-schemas",
    "@kortyx/protocol/schemas",
    "@kortyx/server",
    "@kortyx/server/ag-ui",
    "@kortyx/server/ai-sdk",
    "@kortyx/server/anthropic",
    "@kortyx/server/kortyx",
    "@kortyx/server/langgraph",
    "@kortyx/server/node",
    "@kortyx/server/openai",
    "@kortyx/server/redis",
    "@kortyx/server/schemas",
    "@kortyx/server/sqlite",
    "@kortyx/server/store-testing",
    "@kortyx/server/testing",
    "@kortyx/client",
    "@kortyx/client/ag-ui",
    "@kortyx/client/ai-sdk",
    "@kortyx/client/react",
    "@kortyx/client/testing",
  ]);
});

const runtimes: Record<string, [program: string, types: string, lib: string[]]> = {
  "Node's types and no DOM library": ["program.ts", "node", ["es2023"]],
  "Bun's types and no DOM library": ["program.ts", "bun-types", ["es2023"]],
  "the types of Workers and no DOM library": ["worker.ts", "@cloudflare/workers-types", ["es2023"]],
  "Node's types and the DOM library": ["program.ts", "node", ["es2023", "dom", "dom.iterable"]],
};

/**
 * @returns the compiler's errors in the published declarations and in the program; those of other packages are left
 * out.
 */
function errorsOf(compiler: string, name: string): string[] {
  const [file, types, lib] = runtimes[name]!;
  const compilerOptions = {
    target: "es2022",
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: [types],
    lib,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  const tsc = join(dirname(resolve(`${compiler}/package.json`)), "bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
    encoding: "utf8",
  });
  return stdout.split("\n").filter((line) => line !== "" && !line.includes("node_modules/"));
}

test.each(Object.keys(runtimes))("TypeScript 7 accepts every declaration with %s", (name) => {
  expect(errorsOf("typescript", name)).toEqual([]);
});

test("TypeScript 5.9 accepts every declaration with Node's types and no DOM library", () => {
  expect(errorsOf("typescript-5", "Node's types and no DOM library")).toEqual([]);
});
