/** A user's actions with a chat route on Next.js's edge runtime, in Next's own sandbox. */
import { type ChatMessage, createChat, streamChatFromRoute } from "@kortyx/client";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { type EdgeServer, startNextEdge } from "./next-edge-server.ts";

const until = (check: () => unknown) => vi.waitFor(check, { interval: 10, timeout: 30_000 });
const log = vi.spyOn(console, "error").mockImplementation(() => {});

describe.skipIf(!isInstalled())("a route on Next.js's edge runtime", () => {
  let server: EdgeServer;
  beforeAll(async () => {
    server = await startNextEdge("routes/next-route.ts");
  });
  afterAll(() => server.close());

  let user = "";
  let visitors = 0;
  const chatOf = () => {
    user = `user-${visitors++}`;
    return createChat({ endpoint: server.url, headers: { "x-user": user } });
  };
  const diaryOf = async (name: string): Promise<string[]> => {
    const lines: string[] = await (await fetch(server.url)).json();
    return lines.filter((line) => line.endsWith(` for ${name}`));
  };

  test("send: each text arrives in its own time, and the answer ends in order", async () => {
    const chat = chatOf();
    const lengths = new Set<number>();
    chat.subscribe(({ messages }) => lengths.add(JSON.stringify(messages).length));
    await chat.send("count");
    const { messages, status } = chat.getSnapshot();
    expect(status).toBe("ready");
    expect(messages.at(-1)).toMatchObject({
      parts: [{ type: "text", text: Array.from({ length: 20 }, (_, step) => `${step} `).join("") }],
    });
    expect(lengths.size).toBeGreaterThan(3);
  });

  test("ask: a question is shown, and its answer reaches the agent", async () => {
    const chat = chatOf();
    await chat.send("ask");
    const { interrupt } = chat.getSnapshot();
    expect(interrupt).toMatchObject({ requestId: "colour", input: { question: "Which colour?" } });
    await chat.respond(interrupt!, "blue");
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject({
      parts: [{ type: "text", text: "You like blue." }],
    });
  });

  test("fail: the chat has an error without server internals, and the log has them all", async () => {
    const chat = chatOf();
    await chat.send("fail").catch(() => {});
    const { status, error, messages } = chat.getSnapshot();
    expect(status).toBe("error");
    expect(error?.message).toBe("Something went wrong on the server.");
    expect(JSON.stringify(messages)).not.toContain("hunter2");
    expect(String(log.mock.calls.flat().at(-1))).toContain("hunter2");
  });

  test("stop: the agent is aborted in the context of its request", async () => {
    const chat = chatOf();
    const sent = chat.send("wait");
    await until(() => expect(JSON.stringify(chat.getSnapshot().messages)).toContain("Hello"));
    await chat.stop();
    await sent;
    expect(chat.getSnapshot().status).toBe("ready");
    await until(async () => expect(await diaryOf(user)).toEqual([`aborted for ${user}`]));
  });

  test("disconnect: a client that is gone aborts its agent", async () => {
    const messages: ChatMessage[] = [{ role: "user", content: "wait" }];
    for await (const chunk of streamChatFromRoute({
      endpoint: server.url,
      messages,
      headers: { "x-user": "leaver" },
    })) {
      if (chunk.type === "text-delta") break;
    }
    await until(async () => expect(await diaryOf("leaver")).toEqual(["aborted for leaver"]));
  });

  test("with runs: a reload continues the answer, and stop reaches the agent from the new page", async () => {
    const name = `user-${visitors++}`;
    const page = () =>
      createChat({
        endpoint: server.url,
        headers: { "x-user": name, "x-runs": "yes" },
        sessionId: `session of ${name}`,
        runs: true,
      });
    const chat = page();
    void chat.send("wait").catch(() => {});
    await until(() => expect(JSON.stringify(chat.getSnapshot().messages)).toContain("Hello"));
    chat.close();
    const reloaded = page();
    const resumed = reloaded.resume();
    await until(() => expect(JSON.stringify(reloaded.getSnapshot().messages)).toContain("Hello"));
    expect(await diaryOf(name)).toEqual([]);
    await reloaded.stop();
    await resumed;
    expect(reloaded.getSnapshot().status).toBe("ready");
    await until(async () => expect(await diaryOf(name)).toEqual([`aborted for ${name}`]));
  });

  test("next/headers works in an agent for as long as it runs, even with a slow reader", async () => {
    const messages: ChatMessage[] = [{ role: "user", content: "flood" }];
    const users = new Map<string, number>();
    let chunks = 0;
    for await (const chunk of streamChatFromRoute({
      endpoint: server.url,
      messages,
      headers: { "x-user": "ann" },
    })) {
      if (chunk.type !== "message") continue;
      const name = chunk.content.split(" ")[0]!;
      users.set(name, (users.get(name) ?? 0) + 1);
      if (chunks++ % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(Object.fromEntries(users)).toEqual({ ann: 1000 });
  });
});
