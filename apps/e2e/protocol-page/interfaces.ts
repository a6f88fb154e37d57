/**
 * Reads the interfaces of the protocol from their sources: the fields of each, with their types in words and their
 * docstrings. Does not know what the page does with them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-5";
import { repository } from "../test/readme-snippets.ts";

export interface Field {
  name: string;
  isOptional: boolean;
  /** In words: "a string", or the name of another interface as a link. */
  type: string;
  /** What the docstring states, as Markdown. */
  meaning: string;
  /** The interface that declares the field: another one if it is inherited. */
  declaredBy: string;
}

export interface Interface {
  name: string;
  meaning: string;
  /** Required ones first, and the interface's own before those that it inherits. */
  fields: Field[];
  /** The values of fields whose type is a literal, or a union of literals: `type`, `kind`. */
  literals: Record<string, string[]>;
}

/** A name for several texts, such as the reasons for which a model stops. */
export interface NamedValues {
  name: string;
  meaning: string;
  values: string[];
  /** Another text is valid too. */
  isOpen: boolean;
}

const sources = [
  "chunks",
  "chunk-origin",
  "tool-call-chunks",
  "interrupt-chunks",
  "structured-data-chunks",
  "chat-request",
  "chat-types",
];

type Declaration = ts.InterfaceDeclaration | ts.TypeAliasDeclaration;

const declarations = new Map<string, Declaration>();
for (const name of sources) {
  const file = join(repository, "packages/protocol/src", `${name}.ts`);
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ESNext, true);
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      declarations.set(statement.name.text, statement);
    }
  }
}

function toInterface(declaration: ts.InterfaceDeclaration): Interface {
  const members = membersOf(declaration);
  const literals = members.flatMap(({ member }) => {
    const found = member.type && literalsOf(member.type);
    return found === undefined || found.isOpen ? [] : [[member.name.getText(), found.values] as const];
  });
  return {
    name: declaration.name.text,
    meaning: docOf(declaration).text,
    fields: members.map((member) => toField(member, declaration)),
    literals: Object.fromEntries(literals),
  };
}

interface Member {
  member: ts.PropertySignature;
  declaredBy: string;
}

const integer = /Integer >= 0[.,] ?/;

function toField({ member, declaredBy }: Member, owner: ts.InterfaceDeclaration): Field {
  const { text, defaultValue } = docOf(member);
  const type = integer.test(text) ? "integer, 0 or more" : describeType(member.type!, owner);
  // The column of types states it.
  const said = text.replace(type === "any JSON value" ? /\bAny JSON value[.:;] ?/ : integer, "").trim();
  const meaning = said === "" ? "" : said.charAt(0).toUpperCase() + said.slice(1);
  return {
    name: member.name.getText(),
    isOptional: member.questionToken !== undefined,
    type,
    meaning: defaultValue === undefined ? meaning : `${meaning} Absent: \`${defaultValue}\`.`.trim(),
    declaredBy,
  };
}

/** The properties of an interface in the order of its {@link Interface.fields}. */
function membersOf(declaration: Declaration): Member[] {
  if (!ts.isInterfaceDeclaration(declaration)) return [];
  const inherited = (declaration.heritageClauses ?? []).flatMap(({ types }) =>
    types.flatMap((type) => inheritedFrom(type, declaration)),
  );
  const own = declaration.members
    .filter(ts.isPropertySignature)
    .map((member) => ({ member, declaredBy: declaration.name.text }));
  const isOptional = ({ member }: Member) => Number(member.questionToken !== undefined);
  return [...own, ...inherited].sort((one, other) => isOptional(one) - isOptional(other));
}

/** The properties of `Parent`, or those that `Pick<Types, "name">` names. */
function inheritedFrom(type: ts.ExpressionWithTypeArguments, owner: ts.InterfaceDeclaration): Member[] {
  const name = type.expression.getText();
  if (name !== "Pick") return membersOf(declarations.get(name)!);
  const [picked, names] = type.typeArguments!;
  const parameter = owner.typeParameters!.find((one) => one.name.text === picked!.getText())!;
  return membersOf(declarations.get(parameter.constraint!.getText())!)
    .filter(({ member }) => literalsOf(names!)!.values.includes(member.name.getText()))
    .map(({ member }) => ({ member, declaredBy: owner.name.text }));
}

function docOf(node: ts.Node): { text: string; defaultValue?: string | undefined } {
  const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const text = ts.getTextOfJSDocComment(doc?.comment) ?? "";
  const tag = doc?.tags?.find(({ tagName }) => tagName.text === "defaultValue");
  return {
    text: text.replaceAll(/\s+/g, " ").replaceAll(/\{@link (\w+)(?:\.(\w+))?\}/g, describeLink),
    defaultValue: tag && (ts.getTextOfJSDocComment(tag.comment) ?? "").replaceAll("`", ""),
  };
}

function describeLink(_: string, name: string, field: string | undefined): string {
  const declaration = declarations.get(name);
  const [type = name] =
    declaration === undefined
      ? []
      : membersOf(declaration)
          .filter(({ member }) => member.name.getText() === "type")
          .flatMap(({ member }) => literalsOf(member.type!)?.values ?? []);
  const link = `[\`${type}\`](#${type.toLowerCase()})`;
  return field === undefined ? link : `\`${field}\` of ${link}`;
}

/** @returns undefined unless the type is one or more literal texts. */
function literalsOf(type: ts.TypeNode): { values: string[]; isOpen: boolean } | undefined {
  const members = withoutUndefined(type);
  const texts = members.flatMap((member) =>
    ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal) ? [member.literal.text] : [],
  );
  const isOpen = members.some((member) => member.getText() === "(string & {})");
  return texts.length > 0 && texts.length + Number(isOpen) === members.length
    ? { values: texts, isOpen }
    : undefined;
}

const withoutUndefined = (type: ts.TypeNode): ts.TypeNode[] =>
  (ts.isUnionTypeNode(type) ? [...type.types] : [type]).filter(
    ({ kind }) => kind !== ts.SyntaxKind.UndefinedKeyword,
  );

const plainTypes: Record<string, string> = {
  string: "string",
  number: "number",
  boolean: "boolean",
  unknown: "any JSON value",
  object: "object",
  Fields: "object",
  "Record<string, unknown>": "object",
  "Record<string, string>": "object of strings",
};

/** Describes a type in words that need no TypeScript. */
function describeType(type: ts.TypeNode, owner: ts.InterfaceDeclaration): string {
  const literals = literalsOf(type);
  if (literals !== undefined) return describeLiterals(literals);
  return withoutUndefined(type)
    .map((member) => describeMember(member, owner))
    .join(" or ");
}

function describeMember(type: ts.TypeNode, owner: ts.InterfaceDeclaration): string {
  const text = type.getText();
  const plain = plainTypes[text];
  if (plain !== undefined) return plain;
  if (ts.isArrayTypeNode(type)) return `list of ${describeMember(type.elementType, owner)}`;
  if (/^Types\["\w+"\]$/.test(text)) return "object";
  if (!ts.isTypeReferenceNode(type)) throw new Error(`Describe the type ${text} of ${owner.name.text} here.`);
  const name = type.typeName.getText();
  const parameter = owner.typeParameters?.find((one) => one.name.text === name);
  if (parameter !== undefined) {
    return plainTypes[(parameter.default ?? parameter.constraint ?? { getText: () => "unknown" }).getText()]!;
  }
  const alias = declarations.get(name);
  if (alias !== undefined && ts.isTypeAliasDeclaration(alias) && literalsOf(alias.type) === undefined) {
    const aliased = plainTypes[alias.type.getText()];
    if (aliased !== undefined) return aliased;
  }
  return `[${name}](#${name.toLowerCase()})`;
}

const describeLiterals = ({ values, isOpen }: { values: string[]; isOpen: boolean }): string =>
  [...values.map((value) => `\`"${value}"\``), ...(isOpen ? ["another string"] : [])].join(", ");

/** Every interface, by its name. */
export const interfaces: ReadonlyMap<string, Interface> = new Map(
  [...declarations.values()]
    .filter(ts.isInterfaceDeclaration)
    .map((declaration) => [declaration.name.text, toInterface(declaration)]),
);

/** The named texts that some field has, by their name. */
export const namedValues: ReadonlyMap<string, NamedValues> = new Map(
  [...declarations.values()].filter(ts.isTypeAliasDeclaration).flatMap((declaration) => {
    const found = literalsOf(declaration.type);
    const name = declaration.name.text;
    return found === undefined ? [] : [[name, { name, meaning: docOf(declaration).text, ...found }] as const];
  }),
);
