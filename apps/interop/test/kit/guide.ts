/** The guides in `docs`, executed: their snippets, written as files next to the SDKs, run and type-checked. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const workspace = fileURLToPath(new URL("../../", import.meta.url));
const compiler = fileURLToPath(new URL("../../../../node_modules/.bin/tsc", import.meta.url));

/** The snippets of a page in one language, unchanged and in order. */
export function snippetsOf(page: string, language: "ts" | "tsx" = "ts"): string[] {
  const text = readFileSync(new URL(`../../../../${page}`, import.meta.url), "utf8");
  return [...text.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code!);
}

export interface GuideFolder extends Disposable {
  /** Writes a file next to the others. @returns its path. */
  write(name: string, code: string): string;
  /** Writes a module and imports it. Each name is imported once only. */
  run<Module>(name: string, code: string): Promise<Module>;
  /** Type-checks all files with the SDKs' own types. @returns the compiler's errors, empty if there are none. */
  check(): string;
}

/** An empty folder in this workspace, so that snippets find the SDKs. */
export function createGuideFolder(name: string): GuideFolder {
  const path = join(workspace, ".tmp", name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  const write = (file: string, code: string): string => {
    writeFileSync(join(path, file), code);
    return join(path, file);
  };
  return {
    write,
    run: (file, code) => import(/* @vite-ignore */ pathToFileURL(write(file, code)).href),
    check() {
      const tsconfig = { extends: "../../tsconfig.json", include: ["*.ts", "*.tsx"] };
      writeFileSync(join(path, "tsconfig.json"), JSON.stringify(tsconfig));
      return spawnSync(compiler, ["-p", path], { encoding: "utf8" }).stdout;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
