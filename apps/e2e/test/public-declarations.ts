/** The declarations of the published packages, read by a compiler: what each entry exports. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-5";
import { repository } from "./readme-snippets.ts";

export interface PublicEntry {
  /** As it is imported: `@kortyx/server/node`. */
  name: string;
  /** Each export, at its declaration. */
  exports: ts.Symbol[];
}

/** Every entry with declarations. */
export function readPublicEntries(): { entries: PublicEntry[]; checker: ts.TypeChecker } {
  const files = ["protocol", "server", "client"].flatMap((name) => {
    const folder = join(repository, "packages", name);
    const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return Object.entries<{ types?: string }>(exports)
      .filter(([, { types }]) => types !== undefined)
      .map(([subpath, { types }]) => ({
        name: `@kortyx/${name}${subpath.slice(1)}`,
        file: join(folder, types!),
      }));
  });
  const program = ts.createProgram(
    files.map(({ file }) => file),
    {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      skipLibCheck: true,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  const exportsOf = (file: string) =>
    checker
      .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!)
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));
  return { entries: files.map(({ name, file }) => ({ name, exports: exportsOf(file) })), checker };
}
