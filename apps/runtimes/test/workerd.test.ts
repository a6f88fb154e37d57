/**
 * A user's actions with a chat on Workers, on workerd: with runs, which there belong to the request that started them.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type Chat,
  createChat,
  readStream,
  type StreamChunk,
  streamChatFromRoute,
  toMessageText,
} from "@kortyx/client";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { startWorkerd } from "./framework-process.ts";
import type { RunningTarget } from "./framework-targets.ts";

const until = (check: () => unknown) => vi.waitFor(check, { interval: 10, timeout: 30_000 });
const said = Array.from({ length: 60 }, (_, step) => `${step} `).join("");

describe.skipIf(!isInstalled())("a Worker", () => {
  let server: RunningTarget;
  beforeAll(async () => {
    server = await startWorkerd(
      "serve-runs-on-workerd",
      ["enable_request_signal", "nodejs_compat"],
      () => {},
    );
  });
  afterAll(() => server.close());

  let users = 0;
  /** A user with their own session, who may open it in several tabs. */
  function visit(path: string) {
    const user = `user-${users++}`;
    const tab = (): Chat =>
      createChat({
        endpoint: `${server.origin}${path}`,
        headers: { "x-user": user },
        sessionId: `session of ${user}`,
        runs: path !== "/plain",
      });
    return { user, tab };
  }
  const textOf = (chat: Chat) => {
    const last = chat.getSnapshot().messages.at(-1);
    return last?.role === "assistant" ? toMessageText(last) : "";
  };
  async function diaryOf(user: string): Promise<string[]> {
    const lines: string[] = await (await fetch(`${server.origin}/diary`)).json();
    return lines.filter((line) => line.endsWith(` for ${user}`));
  }

  describe.each(["/plain", "/runs", "/wait-until"])("%s", (path) => {
    test("send, ask and fail work", async () => {
      const { user, tab } = visit(path);
      const chat = tab();
      await chat.send("talk");
      expect([chat.getSnapshot().status, textOf(chat)]).toEqual(["ready", said]);
      expect(await diaryOf(user)).toEqual([`finished for ${user}`]);

      await chat.send("ask");
      const { interrupt } = chat.getSnapshot();
      await chat.respond(interrupt!, "blue");
      expect(textOf(chat)).toBe("You like blue.");

      await chat.send("fail").catch(() => {});
      const { status, error } = chat.getSnapshot();
      expect([status, error?.message]).toEqual(["error", "Something went wrong on the server."]);
    });

    test("stop: the agent is aborted in the context of its request", async () => {
      const { user, tab } = visit(path);
      const chat = tab();
      const sent = chat.send("wait");
      await until(() => expect(textOf(chat)).toBe("Hello"));
      await chat.stop();
      await sent;
      await until(async () => expect(await diaryOf(user)).toEqual([`aborted for ${user}`]));
    });
  });

  test("disconnecting from a route without runs aborts the agent", async () => {
    for await (const chunk of streamChatFromRoute({
      endpoint: `${server.origin}/plain`,
      messages: [{ role: "user", content: "wait" }],
      headers: { "x-user": "leaver" },
    })) {
      if (chunk.type === "text-delta") break;
    }
    await until(async () => expect(await diaryOf("leaver")).toEqual(["aborted for leaver"]));
  });

  /** Reads the log of the session's run and follows it, like another tab. */
  async function follow(path: string, user: string) {
    const chunks: StreamChunk[] = [];
    const response = await fetch(
      `${server.origin}${path}?session=${encodeURIComponent(`session of ${user}`)}`,
      {
        headers: { "x-user": user },
      },
    );
    const isOver = (async () => {
      for await (const chunk of readStream(response)) chunks.push(chunk);
    })().catch((error: unknown) => error);
    return { chunks, isOver };
  }

  describe("a reload halfway through an answer", () => {
    test("with waitUntil shows the growing answer to its end, and the agent finishes once", async () => {
      const { user, tab } = visit("/wait-until");
      const chat = tab();
      void chat.send("talk").catch(() => {});
      await until(() => expect(textOf(chat).length).toBeGreaterThan(5));
      chat.close();
      const reloaded = tab();
      await reloaded.resume();
      expect([reloaded.getSnapshot().status, textOf(reloaded)]).toEqual(["ready", said]);
      expect(await diaryOf(user)).toEqual([`finished for ${user}`]);
    });

    test("without waitUntil ends the answer with producer-lost after its lease, and the session continues", async () => {
      const { user, tab } = visit("/runs");
      const chat = tab();
      void chat.send("talk").catch(() => {});
      await until(() => expect(textOf(chat).length).toBeGreaterThan(5));
      chat.close();
      const reloaded = tab();
      await reloaded.resume().catch(() => {});
      const { status, error } = reloaded.getSnapshot();
      expect([status, error?.message]).toEqual(["error", "The answer was interrupted on the server."]);
      expect(said.startsWith(textOf(reloaded))).toBe(true);
      expect(await diaryOf(user)).toEqual([]);
      await reloaded.send("count");
      expect(reloaded.getSnapshot().status).toBe("ready");
    });
  });

  describe("a second tab, whose feed was started by the request of a first one that closes", () => {
    test("with waitUntil receives the whole answer", async () => {
      const { user, tab } = visit("/wait-until");
      const chat = tab();
      void chat.send("talk").catch(() => {});
      await until(() => expect(textOf(chat).length).toBeGreaterThan(5));
      const second = await follow("/wait-until", user);
      await until(() => expect(second.chunks.length).toBeGreaterThan(5));
      chat.close();
      expect(await second.isOver).toBeUndefined();
      const deltas = second.chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : ""));
      expect(deltas.join("")).toBe(said);
    });

    test("without waitUntil is notified, and does not wait forever", async () => {
      const { user, tab } = visit("/runs");
      const chat = tab();
      void chat.send("talk").catch(() => {});
      await until(() => expect(textOf(chat).length).toBeGreaterThan(5));
      const second = await follow("/runs", user);
      await until(() => expect(second.chunks.length).toBeGreaterThan(5));
      chat.close();
      expect(await second.isOver).toBeUndefined();
      expect(second.chunks.at(-1)).toMatchObject({ type: "error", code: "producer-lost" });
    });
  });

  test("the Worker of docs/runs.md shows the whole answer after a reload, even without nodejs_compat", async () => {
    const page = readFileSync(new URL("../../../docs/runs.md", import.meta.url), "utf8");
    const [, snippet] = /```js\n(import[\s\S]*?cloudflare:workers[\s\S]*?)```/.exec(page)!;
    const folder = fileURLToPath(new URL("../.tmp/recipe/", import.meta.url));
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}worker.js`, snippet!);
    writeFileSync(
      `${folder}agent.js`,
      `import { createSteeredAgent } from "../../routes/steered-agent.ts";
       export const { agent } = createSteeredAgent(() => "anonymous");`,
    );
    const recipe = await startWorkerd("recipe", ["enable_request_signal"], () => {}, `${folder}worker.js`);
    try {
      const tab = () =>
        createChat({
          endpoint: recipe.origin,
          headers: { "x-user": "ann" },
          sessionId: "s",
          runs: true,
        });
      const chat = tab();
      void chat.send("talk").catch(() => {});
      await until(() => expect(textOf(chat).length).toBeGreaterThan(5));
      chat.close();
      const reloaded = tab();
      await reloaded.resume();
      expect([reloaded.getSnapshot().status, textOf(reloaded)]).toEqual(["ready", said]);
    } finally {
      await recipe.close();
    }
  });
});
