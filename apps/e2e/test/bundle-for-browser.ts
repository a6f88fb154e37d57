/** A bundle as a page would load it, made by Vite from the built packages. */
import { fileURLToPath } from "node:url";
import { build, defaultClientConditions, type Rollup } from "vite";

export interface Bundle {
  text: string;
  /** The paths of the files of which something is left. */
  files: string[];
  /** The number of bytes from files whose path matches, before minification. */
  bytesOf(path: RegExp): number;
}

const entry = fileURLToPath(new URL("bundle-entry.js", import.meta.url));

/**
 * @param external - Modules that are not bundled.
 * @param conditions - Of package exports, before the usual ones: `@kortyx/source` bundles our sources, file by file.
 */
export async function bundleForBrowser(
  code: string,
  external: string[] = [],
  conditions: string[] = [],
): Promise<Bundle> {
  const { output } = (await build({
    configFile: false,
    logLevel: "error",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
    resolve: { conditions: [...conditions, ...defaultClientConditions] },
    build: {
      write: false,
      target: "es2022",
      modulePreload: { polyfill: false },
      rollupOptions: { input: entry, external, preserveEntrySignatures: "strict" },
    },
  })) as Rollup.RollupOutput;
  const [chunk] = output;
  return {
    text: chunk.code,
    files: Object.entries(chunk.modules).flatMap(([file, { renderedLength }]) =>
      renderedLength > 0 ? file : [],
    ),
    bytesOf: (path) =>
      Object.entries(chunk.modules).reduce(
        (sum, [file, { renderedLength }]) => sum + (path.test(file) ? renderedLength : 0),
        0,
      ),
  };
}
