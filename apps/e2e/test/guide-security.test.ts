/** docs/security.md: its defaults are those of the packages, and its limit of requests works. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createChat, type StreamHttpError } from "@kortyx/client";
import { afterAll, expect, test } from "vitest";
import { listen, until } from "./live-server.ts";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("guide-security");
afterAll(() => folder.remove());

const page = readFileSync(join(repository, "docs/security.md"), "utf8");

/** The number that a text begins with, in bytes or milliseconds if it has a unit; or the text, such as `never`. */
function toValue(text: string): number | string {
  const [, digits, unit = ""] = /^([\d,]+)(?: (MiB|s|minutes))?/.exec(text) ?? [];
  if (digits === undefined) return text;
  const factors: Record<string, number> = { "": 1, MiB: 1024 * 1024, s: 1000, minutes: 60_000 };
  return Number(digits.replaceAll(",", "")) * factors[unit]!;
}

/** Every default in the docstring of an optional number, by the name of the option. */
const defaults = globSync("packages/*/src/**/*.ts", { cwd: repository }).flatMap((file) =>
  Array.from(
    readFileSync(join(repository, file), "utf8").matchAll(
      /@defaultValue (.*?)(?: \*\/|\n)(?:[ \t]*\*.*\n)*\s*(\w+)\?: (?:number|CollectLimits)/g,
    ),
    ([, value, name]) => [name!, value!] as const,
  ),
);

test("the table has every limit of the packages, with its default", () => {
  const listed = Array.from(
    page.matchAll(/^\| `(\w+)` \| .*? \| (.*?) \| /gm),
    ([, name, value]) => [name!, value!] as const,
  );
  expect(listed.length).toBeGreaterThan(15);
  const isRight = ([name, value]: readonly [string, string]) =>
    defaults.some(([option, text]) => option === name && toValue(text) === toValue(value));
  expect(listed.filter((row) => !isRight(row))).toEqual([]);
  const names = new Set(listed.map(([name]) => name));
  const limits = defaults.map(([name]) => name).filter((name) => /^max/.test(name));
  // These two are arguments of the functions that collect a stream.
  names.add("maxBytes").add("maxChunks");
  expect(limits.filter((name) => !names.has(name))).toEqual([]);
});

test("the snippet refuses a user who asks too often, and no other user, with a text for the page", async () => {
  const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>(
    "limit.ts",
    snippetsOf("docs/security.md")[0]!,
  );
  const server = await listen(POST);
  const chatOf = (user: string) =>
    createChat({ endpoint: server.url, headers: { cookie: `session=${user}` } });
  const chat = chatOf("ann");
  for (let count = 1; count <= 20; count++) await chat.send("Hello");
  expect(chat.getSnapshot().error).toBeUndefined();
  await chat.send("Hello").catch(() => {});
  const error = chat.getSnapshot().error as StreamHttpError;
  expect([error.message, error.retryAfterMs]).toEqual(["Please wait a minute.", 60_000]);
  const following = createChat({ endpoint: server.url, headers: { cookie: "session=ann" }, runs: true });
  void following.send("Hello").catch(() => {});
  await until(() => following.getSnapshot().reconnecting, "the question will be repeated");
  const { status, error: none, connectionError } = following.getSnapshot();
  const { message, retryAfterMs } = connectionError as StreamHttpError;
  expect([status, none]).toEqual(["submitted", undefined]);
  expect([message, retryAfterMs]).toEqual(["Please wait a minute.", 60_000]);
  following.close();
  const other = chatOf("bob");
  await other.send("Hello");
  expect(other.getSnapshot().error).toBeUndefined();
  await server.close();
});

test("the snippet counts no request that only follows an answer", async () => {
  const code = snippetsOf("docs/security.md")[0]!
    .replace("createChatRoute }", "createChatRoute, createMemoryRunStore }")
    .replace("{ POST }", "{ POST, GET }")
    .replace("  agent,\n", "  agent,\n  runs: { store: createMemoryRunStore() },\n");
  const { GET } = await folder.run<{ GET(request: Request): Promise<Response> }>("limit-of-runs.ts", code);
  const follow = () => GET(new Request("http://host/?session=s", { headers: { cookie: "session=ann" } }));
  for (let count = 1; count <= 21; count++) expect((await follow()).status).toBe(204);
});
