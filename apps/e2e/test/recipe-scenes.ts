/** The scenes of the recipes for other libraries, with the recipes exactly as in the client's README. */
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { compile } from "svelte/compiler";
import { type Scenes, useScenePage } from "./scene-page.ts";

export type Library = "vue" | "svelte" | "solid";

const folder = fileURLToPath(new URL("../use-chat/", import.meta.url));
const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");

/** `virtual:readme-vue` is the snippet that begins with `// Vue`. */
const readmeSnippets: Plugin = {
  name: "readme",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^virtual:readme-/ }, ({ path }) => ({
      path: path.slice("virtual:readme-".length),
      namespace: "readme",
    }));
    onLoad({ filter: /.*/, namespace: "readme" }, ({ path }) => {
      const snippet = new RegExp(`^\`\`\`ts\\n(// ${path}\\n[\\s\\S]*?)^\`\`\`$`, "im").exec(readme);
      return { contents: snippet![1]!, loader: "ts", resolveDir: folder };
    });
  },
};

const compileSvelte = (generate: "client" | "server"): Plugin => ({
  name: "svelte",
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const options = { filename: path, generate, css: "injected", experimental: { async: true } } as const;
      const { js, warnings } = compile(source, options);
      if (warnings.length > 0) throw new Error(`${path}: ${warnings.map(({ message }) => message).join()}`);
      return { contents: js.code, loader: "js" };
    });
  },
});

async function bundle(entry: string, side: "client" | "server"): Promise<string> {
  const sides: Record<typeof side, BuildOptions> = {
    client: { format: "esm", platform: "browser" },
    server: { format: "cjs", platform: "node", conditions: ["node"] },
  };
  const { outputFiles } = await build({
    entryPoints: [`${folder}${entry}.ts`],
    bundle: true,
    // Hot reloading and the libraries' warnings exist only in development.
    define: {
      "process.env.NODE_ENV": '"development"',
      __VUE_OPTIONS_API__: "true",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "true",
    },
    plugins: [readmeSnippets, compileSvelte(side)],
    write: false,
    logLevel: "error",
    ...sides[side],
  });
  return outputFiles![0]!.text;
}

export async function loadScenes(library: Library): Promise<Scenes> {
  const script = await bundle(`page-${library}`, "client");
  const code = await bundle(`render-${library}`, "server");
  const file = fileURLToPath(new URL(`../.tmp/recipes/${library}.cjs`, import.meta.url));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, code);
  return { script, render: createRequire(import.meta.url)(file).renderScene };
}

export const useRecipePage = (library: Library) => useScenePage<string>(() => loadScenes(library));
