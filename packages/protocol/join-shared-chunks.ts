/**
 * Puts all modules that the root entry of a package shares with other entries into one chunk. esbuild makes a chunk for
 * each set of entries that have something in common, and Node needs about half a millisecond for each file. Part of the build of
 * this package and of the server; not published.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Options } from "tsup";

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];
type Build = Parameters<Plugin["setup"]>[0];

const name = "shared-modules";

/** For packages whose root entry is `src/index.ts`. */
export const joinSharedChunks: Plugin = {
  name: "join-shared-chunks",
  async setup(build) {
    const { entries, modules } = await findShared(build);
    // An entry that reaches one of them reaches all, so their set of entries is the same.
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) =>
      entries.has(path)
        ? { contents: `${await readFile(path, "utf8")}\nimport "${name}";\n`, loader: "ts" }
        : undefined,
    );
    // Without `sideEffects`, an import of no name would be removed.
    build.onResolve({ filter: /^shared-modules$/ }, () => ({
      path: name,
      namespace: name,
      sideEffects: true,
    }));
    build.onLoad({ filter: /.*/, namespace: name }, () => ({
      contents: [...modules].map((file) => `import ${JSON.stringify(file)};`).join("\n"),
      resolveDir: process.cwd(),
    }));
    build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      return modules.has(file) ? { path: file, sideEffects: true } : undefined;
    });
  },
};

/** @returns the modules in the chunks that the root entry loads, and the entries that load one of these chunks. */
async function findShared({ esbuild, initialOptions }: Build) {
  const { metafile } = await esbuild.build({
    entryPoints: initialOptions.entryPoints!,
    target: initialOptions.target!,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    outdir: "out",
    write: false,
    metafile: true,
  });
  const { outputs } = metafile;
  const chunksOf = (file: string, found = new Set<string>()): Set<string> => {
    for (const { path, external } of outputs[file]!.imports) {
      if (external || found.has(path)) continue;
      chunksOf(path, found.add(path));
    }
    return found;
  };
  const ofEntries = Object.keys(outputs).filter((file) => outputs[file]!.entryPoint !== undefined);
  const root = ofEntries.find((file) => outputs[file]!.entryPoint === "src/index.ts")!;
  const shared = chunksOf(root);
  return {
    entries: new Set(
      ofEntries
        .filter((file) => [...chunksOf(file)].some((chunk) => shared.has(chunk)))
        .map((file) => resolve(outputs[file]!.entryPoint!)),
    ),
    modules: new Set(
      [...shared].flatMap((file) => Object.keys(outputs[file]!.inputs)).map((file) => resolve(file)),
    ),
  };
}
