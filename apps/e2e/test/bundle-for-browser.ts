/** A bundle as a page would load it, made by Vite from the built packages. */
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";

export interface Bundle {
  text: string;
  /** The number of bytes from files whose path matches, before minification. */
  bytesOf(path: RegExp): number;
}

const entry = fileURLToPath(new URL("bundle-entry.js", import.meta.url));

/** @param external - Modules that are not bundled. */
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
