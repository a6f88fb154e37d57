/** The pages that the agent searches, and the questions that the page suggests. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as client from "@kortyx/client";
import * as react from "@kortyx/client/react";
import * as server from "@kortyx/server";
import { collectStream } from "@kortyx/server";
import * as redis from "@kortyx/server/redis";
import * as sqlite from "@kortyx/server/sqlite";
import { expect, test } from "vitest";
import { createDocumentationAgent } from "../src/agent/documentation-agent.ts";
import { createSearch, readPages } from "../src/agent/search.ts";

const pages = readPages(fileURLToPath(new URL("../content/", import.meta.url)));
const search = createSearch(pages);
const agent = createDocumentationAgent({ search, tokensPerSecond: 0 });
const tools = [{ name: "read_clock", description: "The time." }];
const ask = (content: string) => collectStream(agent.streamChat([{ role: "user", content }], { tools }));

test("every function that the pages name exists", () => {
  const exported = new Set([client, react, server, redis, sqlite].flatMap(Object.keys));
  const named = [...pages.values()].flatMap((page) =>
    [...page.matchAll(/\b(?:create|use|stream|read|reduce)[A-Z]\w+|\bdrain\b/g)].map(([name]) => name),
  );
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((name) => !exported.has(name) && name !== "streamChat")).toEqual([]);
});

test("every section is short enough to be quoted whole", () => {
  for (const page of pages.values()) {
    for (const section of page.split(/^## /m)) expect(section.length, section).toBeLessThan(700);
  }
});

test.each([
  ["How do I stop a stream?", ["tool-call-result", "structured-data", "source"], "stop"],
  ["Tell me about errors", ["tool-call-result", "interrupt"], "interrupt"],
  ["How does it work?", ["interrupt"], "interrupt"],
  ["Feedback: I like the chunks", ["interrupt"], "interrupt"],
  ["What time is it?", ["tool-call-ready"], "tool-calls"],
  [
    "How does a stream end? in:nowhere",
    ["tool-call-error", "tool-call-result", "structured-data", "source"],
    "stop",
  ],
])("%s shows what the page announces", async (question, shown, finishReason) => {
  const chunks = await ask(question);
  const types = new Set<string>(chunks.map(({ type }) => type));
  const everywhere = ["status", "step-start", "step-end", "tool-call-start", "text-delta", "done"];
  for (const type of everywhere) types.delete(type);
  expect([...types]).toEqual(shown);
  expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason });
  const emptyState = readFileSync(new URL("../src/page/message-list.tsx", import.meta.url), "utf8");
  expect(emptyState).toContain(question);
});

test.each([
  ["How does a stream end?", "How a stream ends"],
  ["How do I stop a stream?", "Stop a stream"],
  ["What happens when I reload the page?", "Reload the page"],
  ["What happens when the client leaves?", "When the client leaves"],
  ["Which stores are there?", "Choose a store"],
  ["Can I use React?", "Use React"],
  ["How do I deploy?", "Deploy without cutting answers"],
])("%s is answered with “%s”", (query, heading) => {
  expect(search({ query }).hits[0]?.section.heading).toBe(heading);
});
