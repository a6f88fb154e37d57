/** The pages for users of other packages: every name of ours in their tables exists. Those of the AI SDK: `apps/interop`. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as client from "@kortyx/client";
import { createChat } from "@kortyx/client";
import * as server from "@kortyx/server";
import { afterAll, expect, test } from "vitest";
import { listen } from "./live-server.ts";
import { createSnippetFolder, readersModules, repository, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("guide-coming-from");
afterAll(() => folder.remove());

/** All words of the public declarations. */
const declared = new Set(
  globSync("packages/{protocol,server,client}/dist/**/*.d.ts", { cwd: repository }).flatMap(
    (file) => readFileSync(join(repository, file), "utf8").match(/\w+(?:-\w+)*/g) ?? [],
  ),
);

/** Words of the language, and those of the examples themselves. */
const others = /^(?:yield|true|weather|name|agent|stream|react)$/;

test.each(["docs/from-ai-sdk.md", "docs/from-kortyx.md"])("every name of ours in %s exists", (page) => {
  const rows = readFileSync(join(repository, page), "utf8").matchAll(/^\| .*? \| (.*?) \|/gm);
  const names = [...rows].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code!.match(/[a-z]\w{2,}(?:-\w+)*/gi) ?? []),
  );
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !declared.has(name) && !others.test(name))).toEqual([]);
});

test("docs/from-kortyx.md names packages that export what its table lists", () => {
  const packages = { "@kortyx/server": server, "@kortyx/client": client };
  const rows = readFileSync(join(repository, "docs/from-kortyx.md"), "utf8").matchAll(
    /^\| (.*?) \| (.*?), of (`@kortyx\/(?:server|client)`|both packages) \|/gm,
  );
  const missing = [...rows].flatMap(([, there, , place]) => {
    const named = Object.entries(packages).filter(
      ([name]) => place === "both packages" || place === `\`${name}\``,
    );
    // `StreamChunk` is a type.
    const names = [...there!.matchAll(/`([a-z]\w+)`/g)].map(([, name]) => name!);
    return named.flatMap(([name, exports]) =>
      names.filter((value) => !(value in exports)).map((value) => `${name}: ${value}`),
    );
  });
  expect(missing).toEqual([]);
});

test("the route of docs/from-kortyx.md answers", async () => {
  folder.write("kortyx-agent.ts", readersModules["kortyx-agent.ts"]!);
  const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>(
    "from-kortyx.ts",
    snippetsOf("docs/from-kortyx.md")[0]!,
  );
  const listening = await listen(POST);
  const chat = createChat({ endpoint: listening.url });
  await chat.send("Oslo");
  expect(chat.getSnapshot().messages.at(-1)).toMatchObject({ parts: [{ text: "It is 21 °C in Oslo." }] });
  await listening.close();
});
