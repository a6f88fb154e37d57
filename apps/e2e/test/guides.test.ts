/** The snippets of the guides pass the type checker. Each guide has a test of its own that runs them. */
import { afterAll, expect, test } from "vitest";
import { createSnippetFolder, readersModules, snippetsOf, typeErrorsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("guides");
afterAll(() => folder.remove());

/** Each guide, and how many snippets its test runs. */
const guides: Record<string, [ts: number, tsx: number]> = {
  "docs/attachments.md": [4, 1],
  "docs/auth.md": [7, 1],
  "docs/deploying.md": [4, 0],
  "docs/errors.md": [3, 0],
  "docs/frameworks.md": [1, 0],
  "docs/from-kortyx.md": [1, 0],
  "docs/own-types.md": [2, 1],
  "docs/saving.md": [4, 1],
  "docs/security.md": [1, 0],
  "docs/sse.md": [5, 0],
  "docs/ssr.md": [0, 2],
  "docs/testing.md": [11, 1],
};

test("every guide has exactly the snippets that its test runs", () => {
  const found = Object.keys(guides).map((page) => [
    page,
    [snippetsOf(page).length, snippetsOf(page, "tsx").length],
  ]);
  expect(Object.fromEntries(found)).toEqual(guides);
});

/** What the snippets import. */
const modules = {
  ...readersModules,
  "import-route.ts": snippetsOf("docs/sse.md")[3]!,
  "session.ts": snippetsOf("docs/auth.md")[1]!,
  "saving.ts": snippetsOf("docs/saving.md")[1]!,
  "messages.ts": snippetsOf("docs/saving.md")[2]!,
  "vercel-functions.d.ts": `
declare module "@vercel/functions" { export function waitUntil(promise: Promise<unknown>): void; }
`,
  "conversation.tsx": snippetsOf("docs/ssr.md", "tsx")[1]!,
  "user.ts": `export const readUser = async (): Promise<string> => "ann";`,
  "users.ts": `export const checkPassword = async (name: string, _password: string): Promise<string | null> => name;`,
  "token.ts": `export const readToken = async (): Promise<string> => "valid";`,
  "verify-token.ts": `
export const verifyToken = async (token: string): Promise<{ sub: string } | undefined> =>
  token === "valid" ? { sub: "ann" } : undefined;
`,
};

test("every snippet of a guide passes this project's own type checks", () => {
  expect(typeErrorsOf(Object.keys(guides), folder, modules)).toBe("");
});

/** The pages without code for a browser. */
const serverGuides = Object.keys(guides).filter(
  (page) => !/attachments|own-types|sse|ssr|testing/.test(page),
);

test("the snippets of servers also pass without the types of a browser, as in the template of Vite", () => {
  expect(serverGuides).toHaveLength(7);
  expect(typeErrorsOf(serverGuides, folder, modules, { lib: ["es2024"] })).toBe("");
});
