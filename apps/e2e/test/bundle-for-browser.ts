/** A bundle as a page would load it, of the packages as they were built. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export interface Bundle {
  text: string;
  bytes: Uint8Array;
  /** How many bytes come from the files whose path matches. */
  bytesOf(path: RegExp): number;
}

/** @param external - What is not to be part of it. */
export async function bundleForBrowser(code: string, external: string[] = []): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    external,
    logLevel: "error",
    write: false,
    metafile: true,
  });
  const [output] = Object.values(metafile.outputs);
  const [file] = outputFiles;
  return {
    text: file!.text,
    bytes: file!.contents,
    bytesOf: (path) =>
      Object.entries(output!.inputs).reduce(
        (sum, [input, { bytesInOutput }]) => sum + (path.test(input) ? bytesInOutput : 0),
        0,
      ),
  };
}
