/** The pages of the API reference, generated from the docstrings of the published entries. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Application, type TypeDocOptions } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";

const repository = new URL("../../", import.meta.url);

/** Every entry, as it is imported, and its source. `internal` is for the sibling packages alone. */
export const entries: { name: string; source: string }[] = ["protocol", "server", "client"].flatMap(
  (name) => {
    const { exports } = JSON.parse(
      readFileSync(new URL(`packages/${name}/package.json`, repository), "utf8"),
    );
    return Object.entries<{ "@kortyx/source"?: string }>(exports).flatMap(([subpath, entry]) => {
      const source = entry["@kortyx/source"];
      if (source === undefined || subpath.startsWith("./internal")) return [];
      return [{ name: `@kortyx/${name}${subpath.slice(1)}`, source: `packages/${name}/${source.slice(2)}` }];
    });
  },
);

type Options = TypeDocOptions & Partial<PluginOptions> & { placeInternalsInOwningModule: boolean };

/** Writes a page for each entry. An export of several entries is described once, and linked from the others. */
export async function writeReference(folder: string): Promise<void> {
  const options: Options = {
    plugin: ["typedoc-plugin-markdown", "typedoc-plugin-missing-exports"],
    entryPoints: entries.map(({ source }) => fileURLToPath(new URL(source, repository))),
    tsconfig: fileURLToPath(new URL("tsconfig.reference.json", import.meta.url)),
    // The compiler of the reference is older than that of the sources, which checks them.
    skipErrorChecking: true,
    disableSources: true,
    // What every class of errors inherits from the language.
    excludeExternals: true,
    externalPattern: ["**/node_modules/**"],
    excludeInternal: true,
    placeInternalsInOwningModule: true,
    readme: "none",
    logLevel: "Warn",
    outputs: [{ name: "markdown", path: folder }],
    entryFileName: "index",
    outputFileStrategy: "modules",
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    groupOrder: ["Functions", "Variables", "Classes", "*"],
    tableColumnSettings: { hideInherited: true, hideModifiers: true, hideOverrides: true },
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    typeDeclarationFormat: "table",
    classPropertiesFormat: "table",
  };
  const app = await Application.bootstrapWithPlugins(options);
  const project = await app.convert();
  if (project === undefined) throw new Error("The docstrings could not be read.");
  project.name = "API reference";
  // TypeDoc names a module after its source: `server/src/node`.
  for (const module of project.children!) module.name = `@kortyx/${module.name.replace("/src", "")}`;
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("The reference could not be written; the errors are above.");
}
