/** The examples in the docstrings, compiled and run: what an editor shows on hover works when it is pasted. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createChatRoute } from "@kortyx/server";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { readExamples, toModule } from "./docstring-examples.ts";
import { createSnippetFolder, readersModules, repository } from "./readme-snippets.ts";

const { examples, tags } = readExamples();
const folder = createSnippetFolder("docstring-examples");
const nameOf = (index: number): string => `example-${index}.${examples[index]!.language}`;

let redis: RedisServer | undefined;
beforeAll(async () => {
  examples.forEach((example, index) => {
    folder.write(nameOf(index), toModule(example));
  });
  process.env.RUNS_FILE = join(folder.path, "runs.db");
  if (!hasRedis()) return;
  const port = await findPort();
  redis = await startRedis({ port: `${port}`, bind: "127.0.0.1" });
  process.env.REDIS_URL = `redis://127.0.0.1:${port}`;
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});
afterAll(async () => {
  await redis?.close();
  folder.remove();
});

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("every @example is a block of code", () => {
  expect(examples.length).toBe(tags);
});

test("a value in a comment is asserted, and a comment in words is not", () => {
  const code = "const sum = 1 + 1; // 3\nsum; // { a: 1 }\nsum; // a number";
  const module = toModule({ place: "packages/protocol/src/example.ts:1", language: "ts", code });
  expect(module.match(/assertShown\((?!shown)[^;]*;/g)).toEqual([
    "assertShown(sum, 3);",
    "assertShown(sum, { a: 1 });",
  ]);
});

test("every example type-checks, as strictly as this project itself", () => {
  const compilerOptions = {
    types: ["node"],
    customConditions: [],
    jsx: "react-jsx",
    // An example may end with an object that it created.
    noUnusedLocals: false,
  };
  const extended = join(repository, "tsconfig.base.json");
  writeFileSync(
    join(folder.path, "tsconfig.json"),
    JSON.stringify({ extends: extended, compilerOptions, include: ["*.ts", "*.tsx"] }),
  );
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder.path], { encoding: "utf8" });
  const named = stdout.replaceAll(/^.*example-(\d+)\.tsx?/gm, (_, index) => examples[index]!.place);
  expect(named).toBe("");
});

test.each(examples.map(({ place }, index) => ({ place, index })))(
  "the example at $place runs",
  async ({ index }) => {
    const { agent } = await folder.run<{ agent: never }>("agent.ts", readersModules["agent.ts"]!);
    const route = createChatRoute({ agent });
    const request = (input: string, init: RequestInit) =>
      route.fetch(new Request(new URL(input, "http://host/"), init));
    vi.stubGlobal("fetch", request);
    vi.stubGlobal("assertShown", (shown: unknown, value: unknown) => expect(shown).toEqual(value));
    vi.spyOn(console, "info").mockImplementation(() => {});
    const module: object = await import(pathToFileURL(join(folder.path, nameOf(index))).href);
    if (examples[index]!.language === "tsx") {
      for (const component of Object.values(module)) renderToString(createElement(component));
    }
  },
);
