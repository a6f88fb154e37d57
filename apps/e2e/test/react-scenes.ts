/** The scenes of the hook as a development page loads them: under React 18 or 19, in StrictMode without `?once`. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type {} from "../use-chat/page.tsx";
import type { SceneName } from "../use-chat/scenes.tsx";
import { type Scenes, useScenePage } from "./scene-page.ts";

export type ReactVersion = "18" | "19";

export const useChatPage = (reactVersion: ReactVersion) =>
  useScenePage<SceneName>(() => loadScenes(reactVersion));

/** @returns the code of one entry of `use-chat/`. */
async function bundle(
  entry: string,
  reactVersion: ReactVersion,
  options: { format: "esm" | "cjs"; platform: "browser" | "node" },
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../use-chat/${entry}`, import.meta.url))],
    absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
    alias: reactVersion === "18" ? { react: "react-18", "react-dom": "react-dom-18" } : {},
    bundle: true,
    jsx: "automatic",
    // Only in development does StrictMode run everything twice and React print warnings.
    define: { "process.env.NODE_ENV": '"development"' },
    write: false,
    logLevel: "error",
    ...options,
  });
  return outputFiles[0]!.text;
}

async function loadScenes(reactVersion: ReactVersion): Promise<Scenes> {
  const script = await bundle("page.tsx", reactVersion, { format: "esm", platform: "browser" });
  const code = await bundle("render.tsx", reactVersion, { format: "cjs", platform: "node" });
  const module = { exports: {} as { renderScene: (scene: string) => string } };
  new Function("module", "exports", "require", code)(module, module.exports, process.getBuiltinModule);
  return { script, render: module.exports.renderScene };
}
