import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";
import { brokenRules, ofAdapters, type PackageFolders, reachableFrom, sourcesOf } from "./import-graph.ts";
import { type PackedPackages, packPackages } from "./packed-packages.ts";

describe("the published packages", () => {
  let packed: PackedPackages;
  beforeAll(() => {
    packed = packPackages();
  });
  afterAll(() => packed.remove());

  test("keep every import rule", () => {
    expect(brokenRules(packed.folders)).toEqual([]);
  });

  test("load no chunk schemas when a backend imports the server", () => {
    const schemas = join(packed.folders["@kortyx/protocol"]!, "dist/schemas.js");
    const isLoaded = (entry: string) => reachableFrom(entry, packed.folders).has(schemas);
    expect(["@kortyx/server", "@kortyx/server/schemas"].map(isLoaded)).toEqual([false, true]);
  });

  /** The sources of adapters and wires in the files that an import loads. */
  const adaptersLoadedBy = (entry: string): string[] => {
    const sources = sourcesOf(reachableFrom(entry, packed.folders), packed.folders);
    return [...new Set(sources.flatMap(ofAdapters))].sort();
  };

  test("load no adapter and no other protocol for an application that imports none", () => {
    expect(adaptersLoadedBy("@kortyx/client")).toEqual([]);
    expect(adaptersLoadedBy("@kortyx/client/react")).toEqual([]);
    expect(adaptersLoadedBy("@kortyx/protocol")).toEqual([]);
    const common = ["server/adapters/loose-values.ts", "server/adapters/model-stream.ts"];
    expect(adaptersLoadedBy("@kortyx/server/node")).toEqual(common);
    expect(adaptersLoadedBy("@kortyx/server")).toEqual([
      "server/adapters/describe-provider-error.ts",
      ...common,
      "server/adapters/retry-after.ts",
      "server/wires/find-wire.ts",
      "server/wires/translate-response.ts",
    ]);
  });

  test.each([
    ["@kortyx/server/ag-ui", "server/wires/ag-ui-wire.ts", "protocol/ag-ui-translator.ts"],
    ["@kortyx/server/ai-sdk", "server/adapters/ai-sdk.ts", "protocol/ai-sdk-translator.ts"],
    ["@kortyx/server/anthropic", "server/adapters/anthropic.ts"],
    ["@kortyx/server/langgraph", "server/adapters/langgraph.ts"],
    ["@kortyx/server/openai", "server/adapters/openai-chat.ts"],
    ["@kortyx/client/ag-ui", "protocol/ag-ui-translator.ts"],
    ["@kortyx/client/ai-sdk", "protocol/ai-sdk-translator.ts"],
  ])("load the adapters of %s, and no other", (entry, ...own) => {
    const loaded = adaptersLoadedBy(entry);
    expect(loaded).toEqual(expect.arrayContaining(own));
    const provider = entry.replace(/.*\//, "").replace("langgraph", "lang(?:graph|chain)");
    const isOfAnother = new RegExp(`/(?!${provider})(?:ag-ui|ai-sdk|anthropic|langchain|langgraph|openai)`);
    expect(loaded.filter((source) => isOfAnother.test(source))).toEqual([]);
  });

  test("load the test kit only for the entries for tests, of which only that for stores needs Node", () => {
    const entriesOf = (name: string) => {
      const { exports } = JSON.parse(readFileSync(join(packed.folders[name]!, "package.json"), "utf8"));
      return Object.keys(exports).map((subpath) => name + subpath.slice(1));
    };
    const entries = ["@kortyx/server", "@kortyx/client"].flatMap(entriesOf);
    const ofTests = /^(?:server|client)\/testing\//;
    const loading = entries
      .filter((entry) => !entry.endsWith("/package.json"))
      .filter((entry) =>
        sourcesOf(reachableFrom(entry, packed.folders), packed.folders).some((source) =>
          ofTests.test(source),
        ),
      );
    expect(loading).toEqual([
      "@kortyx/server/store-testing",
      "@kortyx/server/testing",
      "@kortyx/client/testing",
    ]);
    const needed = loading.slice(1).flatMap((entry) => [...reachableFrom(entry, packed.folders)]);
    expect(new Set(needed.filter((node) => !node.endsWith(".js")))).toEqual(new Set(["eventsource-parser"]));
  });

  test("make Node load few files for a server: each one takes time when a process starts", () => {
    const loaded = [...reachableFrom("@kortyx/server", packed.folders)].filter((file) =>
      file.endsWith(".js"),
    );
    expect(loaded.map((file) => file.replace(/^.*\/(\w+)\/package\/dist\//, "$1/")).sort()).toEqual([
      expect.stringMatching(/^protocol\/chunk-\w+\.js$/),
      expect.stringMatching(/^protocol\/chunk-\w+\.js$/),
      "protocol/index.js",
      "protocol/internal.js",
      "protocol/request-schemas.js",
      expect.stringMatching(/^server\/chunk-\w+\.js$/),
      "server/index.js",
    ]);
  });

  test("depend on each other in one direction, and otherwise only on zod and eventsource-parser", () => {
    const manifests = Object.values(packed.folders).map((folder) =>
      JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
    );
    const namesOf = (field: string) =>
      Object.fromEntries(
        manifests.map((manifest) => [manifest.name, Object.keys(manifest[field] ?? {}).sort()]),
      );
    expect(namesOf("dependencies")).toEqual({
      "@kortyx/protocol": ["eventsource-parser", "zod"],
      "@kortyx/server": ["@kortyx/protocol"],
      "@kortyx/client": ["@kortyx/protocol"],
      "@kortyx/conformance": ["@kortyx/protocol"],
    });
    // Peer dependencies of separate entries, needed only by their users.
    const peers = {
      "@kortyx/protocol": [],
      "@kortyx/server": ["ioredis", "redis"],
      "@kortyx/client": ["react"],
      "@kortyx/conformance": [],
    };
    expect(namesOf("peerDependencies")).toEqual(peers);
    expect(namesOf("peerDependenciesMeta")).toEqual(peers);
  });

  test("name no workspace and no catalog in their dependencies", () => {
    for (const folder of Object.values(packed.folders)) {
      expect(readFileSync(join(folder, "package.json"), "utf8")).not.toMatch(/workspace:|catalog:/);
    }
  });

  test("contain only the JavaScript of their entries and its shared chunks, and depend on the protocol they were built with", () => {
    for (const folder of Object.values(packed.folders)) {
      const { version, exports, bin, dependencies } = JSON.parse(
        readFileSync(join(folder, "package.json"), "utf8"),
      );
      const entries = [
        ...Object.values<{ default?: string }>(exports).flatMap((entry) => entry.default ?? []),
        ...Object.values<string>(bin ?? {}),
      ];
      const scripts = globSync("**/*.js", { cwd: join(folder, "dist") }).map((file) => `./dist/${file}`);
      expect(scripts.filter((file) => !/^\.\/dist\/chunk-\w+\.js$/.test(file)).sort()).toEqual(
        entries.sort(),
      );
      expect([undefined, version]).toContain(dependencies["@kortyx/protocol"]);
    }
  });

  test("have one program, the doctor, which npx finds by the name of the package, and which no entry loads", () => {
    const folder = packed.folders["@kortyx/server"]!;
    const { bin, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    expect(bin).toEqual({ "kortyx-server": "./dist/bin.js" });
    expect(readFileSync(join(folder, "dist/bin.js"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    const isOfDoctor = (source: string) => source.startsWith("server/doctor/");
    const program = sourcesOf([join(folder, "dist/bin.js")], packed.folders);
    expect(program.filter(isOfDoctor).length).toBeGreaterThan(5);
    expect([...new Set(program.filter((source) => !isOfDoctor(source)))]).toEqual(["server/bin.ts"]);
    const entries = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
    const loaded = entries.flatMap((subpath) => [
      ...reachableFrom(`@kortyx/server${subpath.slice(1)}`, packed.folders),
    ]);
    expect(sourcesOf(loaded, packed.folders).filter(isOfDoctor)).toEqual([]);
  });

  test("judge others by the protocol alone: the conformance kit has no code of the server or the client", () => {
    const program = join(packed.folders["@kortyx/conformance"]!, "dist/cli.js");
    const sources = [...readFileSync(program, "utf8").matchAll(/^\/\/ (\S+\.ts)$/gm)].map(([, file]) => file);
    expect(sources).toContain("src/reader/test-reader.ts");
    expect(sources.filter((file) => !file!.startsWith("src/"))).toEqual([]);
  });

  test("contain a README, a licence and no test", () => {
    for (const folder of Object.values(packed.folders)) {
      expect(["README.md", "LICENSE", "test"].map((name) => existsSync(join(folder, name)))).toEqual([
        true,
        true,
        false,
      ]);
    }
  });
});

describe("the import rules", () => {
  /** Lays packages out in a folder, with `files` written over a layout that keeps every rule. */
  function layOut(files: Record<string, string>): { folders: PackageFolders; remove: () => void } {
    const root = mkdtempSync(join(tmpdir(), "kortyx-rules-"));
    const manifest = (name: string) =>
      JSON.stringify({
        name: `@kortyx/${name}`,
        exports: { ".": { default: "./dist/index.js" }, "./schemas": { default: "./dist/schemas.js" } },
      });
    const sound = {
      "protocol/package.json": manifest("protocol"),
      "protocol/dist/index.js": 'import "eventsource-parser";',
      "protocol/dist/schemas.js": 'import "zod";',
      "server/package.json": manifest("server"),
      "server/dist/index.js":
        'import "@kortyx/protocol"; import "@kortyx/protocol/schemas"; export * from "./inner.js";',
      "server/dist/inner.js": "",
      "client/package.json": manifest("client"),
      "client/dist/index.js": 'export { a } from "./inner.js"; import "@kortyx/protocol";',
      "client/dist/inner.js": "export const a = 1;",
    };
    for (const [path, text] of Object.entries({ ...sound, ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const folders = Object.fromEntries(
      ["protocol", "server", "client"].map((name) => [`@kortyx/${name}`, join(root, name)]),
    );
    return { folders, remove: () => rmSync(root, { recursive: true }) };
  }

  const breaches: [string, Record<string, string>, string[]][] = [
    ["a sound layout", {}, []],
    [
      "server imports client",
      { "server/dist/inner.js": 'import "@kortyx/client";' },
      ["@kortyx/server reaches @kortyx/client: a backend never installs the client"],
    ],
    [
      "client imports server",
      { "client/dist/inner.js": 'import("@kortyx/server");' },
      [
        "@kortyx/client reaches @kortyx/server: a frontend never installs the server",
        "@kortyx/client reaches zod: readers do not pay for zod",
      ],
    ],
    [
      "a root entry reaches Node",
      { "server/dist/inner.js": 'import "node:http";' },
      ["@kortyx/server reaches node:http: root entries use only web standards"],
    ],
    [
      "a root entry reaches Node under its old name",
      { "client/dist/inner.js": 'export * from "fs/promises";' },
      ["@kortyx/client reaches fs/promises: root entries use only web standards"],
    ],
    [
      "a root entry reaches React",
      { "client/dist/inner.js": 'import "react/jsx-runtime";' },
      ["@kortyx/client reaches react/jsx-runtime: root entries use no UI framework"],
    ],
    [
      "client reaches zod through the protocol",
      { "client/dist/inner.js": 'import "@kortyx/protocol/schemas";' },
      ["@kortyx/client reaches zod: readers do not pay for zod"],
    ],
    [
      "the protocol imports a side",
      { "protocol/dist/schemas.js": "", "protocol/dist/index.js": 'import "@kortyx/server";' },
      [
        "@kortyx/protocol reaches @kortyx/server: the protocol imports neither side",
        "@kortyx/client reaches @kortyx/server: a frontend never installs the server",
      ],
    ],
  ];
  for (const [name, files, expected] of breaches) {
    test(`${name}: ${expected.length === 0 ? "nothing" : expected.join("; ")}`, () => {
      const { folders, remove } = layOut(files);
      try {
        expect(brokenRules(folders)).toEqual(expected);
      } finally {
        remove();
      }
    });
  }
});

describe("a bundle for the browser", () => {
  test("of a minimal reader contains the protocol and eventsource-parser, 0 bytes of zod, and no server code", async () => {
    const code = 'import { readStream } from "@kortyx/client"; export { readStream };';
    const { text, bytesOf } = await bundleForBrowser(code);
    expect(bytesOf(/\/zod[@/]/)).toBe(0);
    expect(bytesOf(/packages\/server\//)).toBe(0);
    expect(bytesOf(/eventsource-parser/)).toBeGreaterThan(1000);
    expect(bytesOf(/packages\/protocol\//)).toBeGreaterThan(1000);
    expect(text).not.toContain("ZodError");
  });
});
