/** The snippets of the READMEs and docs, and the modules that they expect the reader to have. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const repository: string = fileURLToPath(new URL("../../../", import.meta.url));

/** The snippets of a page in one language, unchanged. */
export function snippetsOf(
  page: string,
  language: "ts" | "tsx" | "html" | "svelte" | "python" = "ts",
): string[] {
  const text = readFileSync(join(repository, page), "utf8");
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code!);
}

/** The modules that the snippets import but do not define. */
export const readersModules: Record<string, string> = {
  /** An agent that repeats the question, letter by letter. */
  "agent.ts": `
import type { ChatAgent } from "@kortyx/server";
export const agent: ChatAgent = {
  async *streamChat(messages, { sessionId }) {
    yield { type: "session", sessionId: sessionId ?? "new" };
    for (const letter of messages.at(-1)?.content ?? "") yield { type: "text-delta", delta: letter };
    yield { type: "done" };
  },
};
`,
  /** The current user. */
  "session.ts": `
export const verifySession = (request: Request): string | null =>
  /session=(\\w+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? null;
`,
  /** An agent of Kortyx that refuses unknown options, like the real one. */
  "kortyx-agent.ts": `
import type { KortyxAgent } from "@kortyx/server/kortyx";
export const kortyxAgent: KortyxAgent = {
  async streamChat(messages, options = {}) {
    const unknown = Object.keys(options).filter((key) => !["sessionId", "workflowId", "context"].includes(key));
    if (unknown.length > 0) throw new Error("Unrecognized keys: " + unknown.join());
    return (async function* () {
      yield { type: "text-delta", delta: "It is 21 °C in " + messages.at(-1)?.content + "." };
      yield { type: "done", data: { config: { context: { tenantSecret: "s3cr3t" } } } };
    })();
  },
};
`,
  "my-run-store.ts": 'export { createMemoryRunStore as createMyRunStore } from "@kortyx/server";',
  "route.ts": `
import { createChatRoute } from "@kortyx/server";
import { agent } from "./agent.ts";
export const route = createChatRoute({ agent });
`,
};

/** The route whose types a page imports. */
readersModules["chat-route.ts"] = snippetsOf("docs/own-types.md")[0]!;
/** The form of a user who is signed out. */
readersModules["sign-in.tsx"] = snippetsOf("docs/auth.md", "tsx")[0]!;
/** The page that a test renders. */
readersModules["App.tsx"] = snippetsOf("docs/getting-started.md", "tsx")[1]!;

export interface SnippetFolder {
  path: string;
  /** @returns the path of a file with this code, next to the files that it imports. */
  write(name: string, code: string): string;
  /** Runs a snippet. @returns its exports. */
  run<Module>(name: string, code: string): Promise<Module>;
  remove(): void;
}

/** An empty folder inside this package, so that the snippets find their imports. A killed run may have left an old one. */
export function createSnippetFolder(name: string): SnippetFolder {
  const path = fileURLToPath(new URL(`../.tmp/${name}/`, import.meta.url));
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  const write = (file: string, code: string): string => {
    writeFileSync(join(path, file), code);
    return join(path, file);
  };
  for (const [file, code] of Object.entries(readersModules)) write(file, code);
  return {
    path,
    write,
    run: (file, code) => import(pathToFileURL(write(file, code)).href),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/**
 * Checks the snippets of pages as strictly as this project itself, each page in a folder of its own with the modules that its
 * reader has.
 *
 * @param options - Other options of the compiler.
 * @returns the errors of the compiler, `""` for none.
 */
export function typeErrorsOf(
  pages: string[],
  { path }: SnippetFolder,
  modules = readersModules,
  options: { lib?: string[] } = {},
): string {
  const checked = join(path, "checked");
  rmSync(checked, { recursive: true, force: true });
  for (const page of pages) {
    const folder = join(checked, page.replaceAll(/\W/g, "-"));
    mkdirSync(folder, { recursive: true });
    for (const [name, code] of Object.entries(modules)) writeFileSync(join(folder, name), code);
    for (const language of ["ts", "tsx"] as const) {
      for (const [index, code] of snippetsOf(page, language).entries()) {
        writeFileSync(join(folder, `snippet-${index}.${language}`), code);
      }
    }
  }
  const compilerOptions = { types: ["node"], customConditions: [], jsx: "react-jsx", ...options };
  const config = { extends: join(repository, "tsconfig.base.json"), compilerOptions, include: ["**/*"] };
  writeFileSync(join(checked, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  return spawnSync(process.execPath, [tsc, "-p", checked], { encoding: "utf8" }).stdout;
}
