import { createMemoryRunStore } from "@kortyx/server";
import { expect, test } from "vitest";
import { createApp } from "../../src/server/app.ts";

const createAppWithRuns = () =>
  createApp({
    agent: {
      async *streamChat() {
        yield { type: "text-delta", delta: "Hi" };
        yield { type: "done" };
      },
    },
    store: createMemoryRunStore(),
  });

type App = ReturnType<typeof createAppWithRuns>;

const ask = (app: App, headers: Record<string, string> = {}) =>
  app.request("/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }], sessionId: "s" }),
  });

test("a question without a cookie is that of a new visitor, whose cookie comes with the answer", async () => {
  const app = createAppWithRuns();
  const response = await ask(app);
  expect(response.status).toBe(200);
  const [cookie] = response.headers.getSetCookie();
  expect(response.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^visitor=[0-9a-f-]{36}; Max-Age=31536000; Path=\/; HttpOnly; SameSite=Strict$/),
  ]);
  const text = await response.text();
  expect(text).toContain('{"type":"text-delta","delta":"Hi"}');

  const follow = async (visitor: string) =>
    (await app.request("/api/chat?session=s", { headers: { cookie: visitor } })).text();
  // A connection announces its heartbeat, unless all fits its first piece.
  const withoutComments = (events: string) => events.replace(/^:.*\n\n/gm, "");
  expect(withoutComments(await follow(cookie!.split(";")[0]!))).toBe(withoutComments(text));
  expect(await follow("visitor=another")).not.toContain("Hi");
});

test("two questions without a cookie are those of two visitors", async () => {
  const app = createAppWithRuns();
  const cookies = [await ask(app), await ask(app)].map(({ headers }) => headers.get("set-cookie"));
  expect(new Set(cookies).size).toBe(2);
});

test("a visitor with a cookie keeps it, and one with a cookie that is not ours gets another", async () => {
  const app = createAppWithRuns();
  expect((await ask(app, { cookie: "a=b; visitor=me" })).headers.getSetCookie()).toEqual([]);
  expect((await ask(app, { cookie: "visitor=<script>" })).headers.getSetCookie()).toHaveLength(1);
});

test.each(["GET", "DELETE"])(
  "%s without a cookie is refused: every run belongs to a visitor",
  async (method) => {
    const app = createAppWithRuns();
    await (await ask(app)).text();
    const response = await app.request("/api/chat?session=s", { method });
    expect(response.status).toBe(401);
    expect(response.headers.getSetCookie()).toEqual([]);
  },
);
