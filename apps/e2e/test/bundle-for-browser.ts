/** A bundle as a page would load it, made by Vite of the packages as they were built. */
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";

export interface Bundle {
  text: string;
  /** How many bytes come from the files whose path matches, before they are minified. */
  bytesOf(path: RegExp): number;
}

const entry = fileURLToPath(new URL("bundle-entry.js", import.meta.url));

/** @param external - What is not to be part of it. */
export async function bundleForBrowser(code: string, external: string[] = []): Promise<Bundle> {
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
    bytesOf: (path) =>
      Object.entries(chunk.modules).reduce(
        (sum, [file, { renderedLength }]) => sum + (path.test(file) ? renderedLength : 0),
        0,
      ),
  };
}
