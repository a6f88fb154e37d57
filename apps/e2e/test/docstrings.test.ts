/** What an editor shows on hover: every export, and every member of its type, has a summary; what can be called has an example. */
import ts from "typescript-5";
import { expect, test } from "vitest";
import { readPublicEntries } from "./public-declarations.ts";

/** Shapes of other libraries' objects: their own documentation describes the members. */
const shapesOfOthers = [
  "NodeRequest",
  "NodeResponse",
  "FastifyRequestLike",
  "FastifyReplyLike",
  "RedisClient",
  "RedisConnection",
];

const { entries, checker } = readPublicEntries();

/** `internal` is for the sibling packages alone. */
const symbols = new Set(entries.flatMap(({ name, exports }) => (name.includes("/internal") ? [] : exports)));

const hasSummary = (symbol: ts.Symbol): boolean => symbol.getDocumentationComment(checker).length > 0;

const hasExample = (symbol: ts.Symbol): boolean =>
  symbol.getJsDocTags(checker).some(({ name }) => name === "example");

/** Whether `new` is for the package alone: an error is caught, not made. */
const isErrorClass = ({ declarations = [] }: ts.Symbol): boolean =>
  declarations.some(
    (declaration) =>
      ts.isClassDeclaration(declaration) &&
      declaration.heritageClauses?.some(({ types }) => types.some((type) => /Error$/.test(type.getText()))),
  );

type Member = ts.PropertySignature | ts.MethodSignature | ts.PropertyDeclaration | ts.MethodDeclaration;

const isMember = (node: ts.Node): node is Member & { name: ts.Identifier } =>
  (ts.isPropertySignature(node) ||
    ts.isMethodSignature(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isMethodDeclaration(node)) &&
  ts.isIdentifier(node.name);

/** A `type` or `kind` with a literal as its type, as chunks have, needs no words. */
const isDiscriminant = ({ name, type }: Member): boolean =>
  /^(type|kind|name|code|role|status|outcome)$/.test(name.getText()) &&
  type !== undefined &&
  ts.isLiteralTypeNode(type);

/** The names of the members, at any depth, that have no summary. */
function silentMembersOf({ name, declarations = [] }: ts.Symbol): string[] {
  const silent: string[] = [];
  const visit = (node: ts.Node): void => {
    // The argument of a utility type, as in `Extract<…, { type: Type }>`, is not a shape of its own.
    if (ts.isTypeReferenceNode(node)) return;
    if (isMember(node) && !isDiscriminant(node) && !hasSummary(checker.getSymbolAtLocation(node.name)!)) {
      silent.push(`${name}.${node.name.text}`);
    }
    ts.forEachChild(node, visit);
  };
  for (const declaration of declarations) {
    const hasMembers =
      ts.isInterfaceDeclaration(declaration) ||
      ts.isTypeAliasDeclaration(declaration) ||
      ts.isClassDeclaration(declaration);
    if (hasMembers) visit(declaration);
  }
  return silent;
}

test("every export has a summary", () => {
  expect(symbols.size).toBeGreaterThan(150);
  const silent = [...symbols].filter((symbol) => !hasSummary(symbol));
  expect(silent.map(({ name }) => name)).toEqual([]);
});

test("every function, schema and class that a user makes has an example", () => {
  const callable = ts.SymbolFlags.Function | ts.SymbolFlags.Class | ts.SymbolFlags.Variable;
  const without = [...symbols].filter(
    (symbol) => symbol.flags & callable && !isErrorClass(symbol) && !hasExample(symbol),
  );
  expect(without.map(({ name }) => name)).toEqual(["DONE_FRAME"]);
});

test("every option and every other member of a type has a summary", () => {
  const own = [...symbols].filter(({ name }) => !shapesOfOthers.includes(name));
  expect(own.flatMap(silentMembersOf)).toEqual([]);
});
