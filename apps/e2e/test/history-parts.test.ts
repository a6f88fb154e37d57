/** Answers of any kind, sent back by a chat as the history of its next question: the route accepts them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createChat } from "@kortyx/client";
import { createChatRoute, type StreamChunk, type UnknownChunk } from "@kortyx/server";
import { fromKortyx } from "@kortyx/server/kortyx";
import { createScriptedAgent } from "@kortyx/server/testing";
import { describe, expect, test, vi } from "vitest";
import { repository } from "./readme-snippets.ts";

vi.spyOn(console, "error").mockImplementation(() => {});

const transcripts = globSync("packages/protocol/transcripts/*/*.json", { cwd: repository });

/** A chat on a route whose agent first sends these chunks. */
async function askTwice(first: unknown[], wrap = (agent: Parameters<typeof fromKortyx>[0]) => agent) {
  const done: StreamChunk = { type: "done" };
  const agent = createScriptedAgent([...(first as StreamChunk[]), done], [done]);
  const { POST } = createChatRoute<{ chunks: UnknownChunk }>({ agent: wrap(agent as never) as never });
  const statuses: number[] = [];
  const chat = createChat({
    endpoint: "http://host/",
    history: "parts",
    fetch: async (url, init) => {
      const response = await POST(new Request(url, init));
      statuses.push(response.status);
      return response;
    },
  });
  await chat.send("First").catch(() => {});
  await chat.send("Second");
  return { statuses, received: agent.calls.map(({ messages }) => messages) };
}

describe("the answer of a golden transcript", () => {
  test.each(transcripts)("is accepted in the history of the next question: %s", async (file) => {
    const { entries } = JSON.parse(readFileSync(join(repository, file), "utf8"));
    const { statuses, received } = await askTwice(entries.map(({ chunk }: { chunk: unknown }) => chunk));
    expect(statuses.at(-1)).toBe(200);
    expect(received.at(-1)!.at(-1)).toMatchObject({ role: "user", content: "Second" });
  });
});

test("so is one with URLs that only a page can load, with long ids, and with a call whose input is not whole", async () => {
  const toolCallId = "call".padEnd(2_000, "x");
  const { statuses, received } = await askTwice([
    { type: "file", mediaType: "image/png", url: "/relative.png" },
    { type: "file", mediaType: "image/png", url: "javascript:alert(1)" },
    { type: "tool-call-start", tool: "search", toolCallId, input: {} },
    { type: "tool-call-result", tool: "search", toolCallId, content: 1 },
    { type: "tool-call-start", tool: "search", toolCallId: "2" },
    { type: "tool-call-input-delta", toolCallId: "2", delta: "{" },
  ]);
  expect(statuses).toEqual([200, 200]);
  const [, answer] = received[1]!;
  expect(answer!.parts).toEqual([
    expect.objectContaining({ toolCallId, state: "done", content: 1 }),
    expect.objectContaining({ toolCallId: "2", state: "interrupted" }),
  ]);
});

test("an agent of Kortyx receives a conversation of texts, without answers that have none", async () => {
  const call = { tool: "search", toolCallId: "1" };
  const { received } = await askTwice(
    [
      { type: "tool-call-start", ...call, input: {} },
      { type: "tool-call-result", ...call, content: 1 },
    ],
    (agent) => fromKortyx(agent) as never,
  );
  expect(received[1]!.map(({ role, content, parts }) => [role, content, parts])).toEqual([
    ["user", "First", undefined],
    ["user", "Second", undefined],
  ]);
});
