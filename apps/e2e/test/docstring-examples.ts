/** The examples in the docstrings of the packages, as modules: each with the names that it leaves to its reader. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-5";
import { readPublicEntries } from "./public-declarations.ts";
import { repository } from "./readme-snippets.ts";

/**
 * What an example may use without importing it, in addition to every export of the packages: the declaration that
 * its reader writes above it.
 */
const readersNames: Record<string, string> = {
  agent: 'import { agent } from "./agent.ts";',
  verifySession: 'import { verifySession } from "./session.ts";',
  anthropic: `const anthropic = {
  messages: {
    create: async (_body: object) =>
      (async function* (): AsyncGenerator<import("@kortyx/server/anthropic").AnthropicEvent> {
        yield { type: "message_start", message: { id: "msg_1", model: "claude-sonnet-5-5" } };
        yield { type: "message_delta", delta: { stop_reason: "end_turn" } };
        yield { type: "message_stop" };
      })(),
  },
};`,
  kortyxAgent: 'import { kortyxAgent } from "./kortyx-agent.ts";',
  messages: 'const messages: import("@kortyx/client").ChatMessage[] = [{ role: "user", content: "Hello" }];',
  request: `const request = new Request("http://host/api/chat", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }] }),
});`,
  stream: `const stream = (async function* (): AsyncGenerator<import("@kortyx/client").StreamChunk> {
  yield { type: "text-delta", delta: "Hello" };
  yield { type: "done" };
})();`,
  runner: "const runner = { describe() {}, test() {}, beforeEach() {}, afterEach() {} };",
  route: 'import { route } from "./route.ts";',
  response: `const response = (await import("@kortyx/server")).toSSE([{ type: "text-delta", delta: "Hello" }, { type: "done" }]);`,
  render: "const render = (..._shown: unknown[]): void => {};",
};

export interface DocstringExample {
  /** Where it stands: `packages/client/src/react.ts:53`. */
  place: string;
  language: string;
  code: string;
}

/** Every fenced block after an `@example`, and the number of tags: each must have its block. */
export function readExamples(): { examples: DocstringExample[]; tags: number } {
  const files = globSync("packages/*/src/**/*.{ts,tsx}", { cwd: repository }).sort();
  const texts = files.map((file) => [file, readFileSync(join(repository, file), "utf8")] as const);
  const examples = texts.flatMap(([file, text]) =>
    [...text.matchAll(/\* @example\n *\* ```(tsx?)\n([\s\S]*?)\n *\* ```\n/g)].map((found) => ({
      place: `${file}:${text.slice(0, found.index).split("\n").length}`,
      language: found[1]!,
      code: found[2]!.replaceAll(/^ *\* ?/gm, ""),
    })),
  );
  return { examples, tags: texts.reduce((sum, [, text]) => sum + text.split("@example").length - 1, 0) };
}

/** The module of an example: what it uses is imported or declared, and every value that it shows is asserted. */
export function toModule({ place, language, code }: DocstringExample): string {
  const file = ts.createSourceFile(`example.${language}`, code, ts.ScriptTarget.Latest, true);
  const names = freeNamesOf(file);
  const home = `@kortyx/${place.split("/")[1]}`;
  const imports = names.flatMap((name) => {
    const homes = entryNames.filter((entry) => exportsOf.get(entry)!.has(name));
    // What the package of the example exports itself comes first.
    const entry = homes.find((found) => found.startsWith(home)) ?? homes[0];
    return entry === undefined ? [] : `import ${types.has(name) ? "type " : ""}{ ${name} } from "${entry}";`;
  });
  const declarations = names.flatMap((name) => readersNames[name] ?? []);
  return [...imports, ...declarations, assertValues(file), "export {};\n"].join("\n");
}

const { entries } = readPublicEntries();
const entryNames = entries.map(({ name }) => name);
const types = new Set(
  entries.flatMap(({ exports }) =>
    exports.filter(({ flags }) => (flags & ts.SymbolFlags.Value) === 0).map(({ name }) => name),
  ),
);
const exportsOf = new Map(
  entries.map(({ name, exports }) => [name, new Set(exports.map((symbol) => symbol.name))] as const),
);

/** The identifiers of a file that it neither declares nor names as properties. */
function freeNamesOf(file: ts.SourceFile): string[] {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const isProperty =
        (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isPropertyAssignment(parent) && parent.name === node) ||
        (ts.isBindingElement(parent) && parent.propertyName === node) ||
        ts.isJsxAttribute(parent);
      const isDeclaration =
        (ts.isVariableDeclaration(parent) ||
          ts.isBindingElement(parent) ||
          ts.isParameter(parent) ||
          ts.isFunctionDeclaration(parent) ||
          ts.isMethodDeclaration(parent) ||
          ts.isImportSpecifier(parent) ||
          ts.isClassDeclaration(parent)) &&
        parent.name === node;
      if (isDeclaration) declared.add(node.text);
      else if (!isProperty) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...used].filter((name) => !declared.has(name));
}

/** Turns `1 + 1; // 2` and `const two = 1 + 1; // 2` into assertions. A comment that is no literal is prose. */
function assertValues(file: ts.SourceFile): string {
  const { text } = file;
  let module = "";
  let at = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isExpressionStatement(node) || ts.isVariableStatement(node)) {
      const [comment] = ts.getTrailingCommentRanges(text, node.end) ?? [];
      const value = comment && text.slice(comment.pos + 2, comment.end);
      if (value !== undefined && isLiteral(value)) {
        module += text.slice(at, node.getStart());
        module += ts.isExpressionStatement(node)
          ? assertion(node.expression.getText(), value)
          : node.getText() + assertion(node.declarationList.declarations[0]!.name.getText(), value);
        at = node.end;
        return;
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return module + text.slice(at);
}

/** The function is the test's; it is declared nowhere, so that the module needs no import of a test runner. */
const assertion = (expression: string, value: string): string =>
  `(globalThis as unknown as { assertShown(shown: unknown, value: unknown): void }).assertShown(${expression}, ${value.trim()});`;

function isLiteral(text: string): boolean {
  const file = ts.createSourceFile("value.ts", `(${text})`, ts.ScriptTarget.Latest, true);
  const [statement, ...others] = file.statements;
  const { parseDiagnostics } = file as unknown as { parseDiagnostics: unknown[] };
  if (others.length > 0 || parseDiagnostics.length > 0 || !ts.isExpressionStatement(statement!)) return false;
  if (!ts.isParenthesizedExpression(statement.expression)) return false;
  const value = statement.expression.expression;
  const words = [ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword, ts.SyntaxKind.NullKeyword];
  return (
    ts.isLiteralExpression(value) ||
    ts.isObjectLiteralExpression(value) ||
    ts.isArrayLiteralExpression(value) ||
    words.includes(value.kind) ||
    (ts.isIdentifier(value) && value.text === "undefined")
  );
}
