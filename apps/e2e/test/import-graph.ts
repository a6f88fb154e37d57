/**
 * The import graph of published packages, read from their JavaScript, and its rules. Does not rely on a bundler: every
 * written import counts, even if tree-shaking would drop it.
 */
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { init, parse } from "es-module-lexer";

await init;

/** The folder of each package, by name. */
export type PackageFolders = Record<string, string>;

/** Everything that an entry reaches: files of the given packages, and bare names of all others. */
export function reachableFrom(entry: string, folders: PackageFolders): Set<string> {
  const reached = new Set<string>();
  const visit = (specifier: string, importer: string | undefined): void => {
    const file = resolveFile(specifier, importer, folders);
    const node = file ?? specifier;
    if (reached.has(node)) return;
    reached.add(node);
    if (file === undefined) return;
    const [imports] = parse(readFileSync(file, "utf8"));
    for (const found of imports) {
      if ("specifier" in found && typeof found.specifier === "string") visit(found.specifier, file);
    }
  };
  visit(entry, undefined);
  return reached;
}

/** The name of each source that a build has put into these files, such as `server/adapters/openai-chat.ts`. */
export function sourcesOf(files: Iterable<string>, folders: PackageFolders): string[] {
  return [...files].flatMap((file) => {
    const [name] = Object.entries(folders).find(([, folder]) => file.startsWith(join(folder, "/"))) ?? [];
    if (name === undefined) return [];
    // The bundler writes a comment with the path before the code of each file.
    const paths = readFileSync(file, "utf8").matchAll(/^\/\/ src\/(.+)$/gm);
    return [...paths].map(([, path]) => `${name.replace("@kortyx/", "")}/${path}`);
  });
}

/** Returns the source if it is of an adapter, of a wire, or of the mapping of another protocol. */
export const ofAdapters = (source: string): string[] =>
  /^(?:server\/(?:adapters|wires)\/|(?:server|client|protocol)\/(?:ai-sdk|ag-ui|anthropic|langgraph|openai)\b)/.test(
    source,
  )
    ? [source]
    : [];

function resolveFile(
  specifier: string,
  importer: string | undefined,
  folders: PackageFolders,
): string | undefined {
  if (specifier.startsWith(".")) return join(dirname(importer!), specifier);
  const name = specifier.split("/", 2).join("/");
  const folder = folders[name];
  if (folder === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const target = exports[`.${specifier.slice(name.length)}`]?.default;
  const file = target === undefined ? undefined : join(folder, target);
  if (file === undefined || !existsSync(file)) throw new Error(`${specifier} is not exported by ${name}`);
  return file;
}

/** The modules that an entry must not reach, each with the reason. */
interface ImportRule {
  entry: string;
  forbids: RegExp;
  reason: string;
}

const node = new RegExp(
  `^(node:.*|(${builtinModules.filter((name) => !name.startsWith("_")).join("|")})(/.*)?)$`,
);
const rule = (entry: string, forbids: RegExp, reason: string): ImportRule => ({ entry, forbids, reason });

const importRules: ImportRule[] = [
  rule("@kortyx/protocol", /^@kortyx\/(server|client)/, "the protocol imports neither side"),
  rule("@kortyx/server", /^@kortyx\/client/, "a backend never installs the client"),
  rule("@kortyx/client", /^@kortyx\/server/, "a frontend never installs the server"),
  ...["@kortyx/protocol", "@kortyx/server", "@kortyx/client"].flatMap((entry) => [
    rule(entry, node, "root entries use only web standards"),
    rule(entry, /^react(-dom)?(\/|$)/, "root entries use no UI framework"),
  ]),
  rule("@kortyx/protocol", /^zod(\/|$)/, "readers do not pay for zod"),
  rule("@kortyx/client", /^zod(\/|$)/, "readers do not pay for zod"),
];

/** One sentence for each broken rule. */
export function brokenRules(folders: PackageFolders): string[] {
  return importRules.flatMap(({ entry, forbids, reason }) => {
    const reached = [...reachableFrom(entry, folders)].map((node) => packageOf(node, folders));
    return [...new Set(reached)]
      .filter((name) => forbids.test(name))
      .map((name) => `${entry} reaches ${name}: ${reason}`);
  });
}

/** The name of the package that contains a file; any other node is its own name. */
function packageOf(node: string, folders: PackageFolders): string {
  return Object.entries(folders).find(([, folder]) => node.startsWith(join(folder, "/")))?.[0] ?? node;
}
