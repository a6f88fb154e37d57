/** An agent of Kortyx on our route, with and without runs, used by our chat and by a client like that of Kortyx. */
import { createChat } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore, type StreamChunk } from "@kortyx/server";
import { fromKortyx } from "@kortyx/server/kortyx";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createAskingAgent, createKortyxAgent } from "./kortyx-agents.ts";
import { type LiveServer, listen } from "./live-server.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
let server: LiveServer | undefined;
beforeEach(() => log.mockClear());
afterEach(() => server?.close());

/** Reads a body like the client of Kortyx: a block that does not begin with `data: ` is skipped. */
async function readAsKortyx(response: Response): Promise<StreamChunk[]> {
  const blocks = (await response.text()).split("\n\n").filter((block) => block.startsWith("data: "));
  const payloads = blocks.map((block) => block.slice("data: ".length).trim());
  return payloads.filter((payload) => payload !== "[DONE]").map((payload) => JSON.parse(payload));
}

/** Posts like the client of Kortyx: it accepts any type, and answers in the metadata of the last message. */
async function askAsKortyx(content: string, resume?: object): Promise<StreamChunk[]> {
  const messages = [{ role: "user", content, ...(resume && { metadata: { resume } }) }];
  const body = JSON.stringify({ messages, sessionId: "s", context: { plan: "free" } });
  const headers = { "content-type": "application/json" };
  return readAsKortyx(await fetch(server!.url, { method: "POST", headers, body }));
}

describe.each([
  ["without runs", false],
  ["with runs", true],
])("a route %s", (_, hasRuns) => {
  async function serve(agent: Parameters<typeof fromKortyx>[0]) {
    const { fetch } = createChatRoute({
      agent: fromKortyx(agent),
      authorize: () => "ann",
      ...(hasRuns && { runs: { store: createMemoryRunStore() } }),
    });
    server = await listen(fetch);
    return server.url;
  }
  const chatOf = (endpoint: string) =>
    createChat({ endpoint, sessionId: "s", context: { plan: "free" }, runs: hasRuns });

  test("our chat receives three questions in a row and answers each once", async () => {
    const agent = createAskingAgent();
    const chat = chatOf(await serve(agent));
    await chat.send("Hi");
    for (const [answer, kind] of [
      ["Ann", "text"],
      ["b", "choice"],
      [["a", "b"], "multi-choice"],
    ] as const) {
      const { interrupt, status } = chat.getSnapshot();
      expect([interrupt?.input.kind, status]).toEqual([kind, "ready"]);
      await chat.respond(interrupt!, answer as string | string[]);
    }
    expect(agent.answers).toEqual([["Ann"], ["b"], ["a", "b"]]);
    const { messages, error, interrupt } = chat.getSnapshot();
    expect([error, interrupt]).toEqual([undefined, undefined]);
    expect(messages.at(-1)).toMatchObject({
      status: "done",
      parts: [{ type: "text", text: '[["Ann"],["b"],["a","b"]]' }],
    });
    for (const [, options] of agent.calls)
      expect(options).toEqual({ sessionId: "s", context: { plan: "free" } });
    chat.close();
  });

  test("so does a client of Kortyx, which receives none of the agent's state", async () => {
    const agent = createAskingAgent();
    await serve(agent);
    let chunks = await askAsKortyx("Hi");
    for (const selected of [["Ann"], ["b"], ["a", "b"]]) {
      const interrupt = chunks.find((chunk) => chunk.type === "interrupt");
      expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
      const { resumeToken: token, requestId } = interrupt!;
      chunks = await askAsKortyx("An answer", { token, requestId, selected });
    }
    expect(agent.answers).toEqual([["Ann"], ["b"], ["a", "b"]]);
    expect(chunks).toContainEqual(expect.objectContaining({ delta: '[["Ann"],["b"],["a","b"]]' }));
    expect(JSON.stringify(chunks)).not.toContain("tenantSecret");
    expect(chunks.at(-1)).toEqual({ type: "done" });
    expect(log).not.toHaveBeenCalled();
  });

  test("our chat cancels a question", async () => {
    const agent = createAskingAgent();
    const chat = chatOf(await serve(agent));
    await chat.send("Hi");
    await chat.respond(chat.getSnapshot().interrupt!, { outcome: "cancelled" });
    expect(agent.answers).toEqual([]);
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", interrupt: undefined });
    chat.close();
  });

  test("a failed agent fails for both clients, and its error text stays on the server", async () => {
    const agent = createKortyxAgent(async function* () {
      yield { type: "text-delta", delta: "Let me look. " };
      throw new Error("db at postgres://u:secret@h");
    });
    const chat = chatOf(await serve(agent));
    await chat.send("Hi").catch(() => {});
    const { status, error } = chat.getSnapshot();
    expect([status, error?.message]).toEqual(["error", "Something went wrong on the server."]);
    chat.close();
    const chunks = await askAsKortyx("Hi");
    expect(chunks.find(({ type }) => type === "error")).toMatchObject({
      message: "Something went wrong on the server.",
      correlationId: expect.any(String),
    });
    expect(JSON.stringify(chunks)).not.toContain("secret");
    expect(JSON.stringify(log.mock.calls)).toContain("postgres://u:secret@h");
  });
});
