import type { StreamChunk } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium } from "./chromium.ts";
import { useChatPage } from "./react-scenes.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const session = (sessionId: string): StreamChunk => ({ type: "session", sessionId });

describe.skipIf(!hasChromium())("useChat in Chromium", () => {
  const chat = useChatPage("19");
  const { open, click, texts, untilStatus, untilText, untilRequested, untilState } = chat;
  const sessionId = () => chat.page.locator("section").getAttribute("data-session");
  /** Waits until React has no pending work. */
  const settle = () =>
    chat.page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve, { timeout: 500 })));

  /** Sends a message and streams the first half of the answer. */
  async function streamHalf(index = 0, ...first: StreamChunk[]): Promise<void> {
    await click("Send");
    await untilRequested(index + 1);
    chat.requests[index]!.give(...first, delta(`${index}: half`));
    await untilText(`${index}: half`);
  }

  /** Completes the answer in progress. */
  async function untilWhole(index = 0): Promise<void> {
    chat.requests[index]!.give(delta(", whole"));
    await untilText(`${index}: half, whole`);
    chat.requests[index]!.end();
    await untilStatus("ready");
    expect(chat.requests[index]!.state).toBe("ended");
  }

  describe("the chat's own session", () => {
    test("refers to the same chat when it is set while the answer is streaming", async () => {
      await open("given-sessions");
      await streamHalf();
      await click("Set newest");
      await untilWhole();
      expect(await texts()).toEqual(["Hello", "0: half, whole"]);
      await streamHalf(1);
      expect(chat.requests[1]!.body.sessionId).toBe(chat.requests[0]!.body.sessionId);
      chat.requests[1]!.end();
    });

    test("refers to the same chat when it is set before React has rendered it", async () => {
      await open("given-sessions");
      await click("Send and set");
      await untilRequested(1);
      chat.requests[0]!.give(delta("0: half"));
      await untilText("0: half");
      await untilWhole();
      expect(await texts()).toEqual(["Hello", "0: half, whole"]);
    });

    test("may be stored in a URL and set at once, also after the server names another one or the chat is cleared", async () => {
      await open("session-in-url");
      await streamHalf(0, session("named-by-server"));
      await untilWhole();
      expect(await sessionId()).toBe("named-by-server");
      await click("Clear");
      await untilStatus("ready");
      expect(await texts()).toEqual([]);
      expect(await sessionId()).toBe(null);
      await streamHalf(1);
      expect(await sessionId()).toBe(chat.requests[1]!.body.sessionId);
      expect(chat.requests[1]!.body.sessionId).not.toBe("named-by-server");
      await untilWhole(1);
    });

    test("refers to the same chat when an earlier session is set late, and then the newest", async () => {
      await open("given-sessions");
      await streamHalf(0);
      const first = chat.requests[0]!.body.sessionId;
      chat.requests[0]!.give(session("named-by-server"));
      await chat.page.locator("section[data-session=named-by-server]").waitFor();
      await click("Set oldest");
      await settle();
      await click("Set newest");
      await untilWhole();
      // From now on, the earlier session is another conversation.
      await click("Set oldest");
      await chat.page.locator(`section[data-session="${first}"]`).waitFor();
      expect(await texts()).toEqual([]);
    });

    test("is forgotten when the chat is cleared, and then selects another chat if it is set", async () => {
      await open("given-sessions");
      await streamHalf();
      await untilWhole();
      const first = await sessionId();
      await click("Clear");
      await chat.page.locator("section:not([data-session])").waitFor();
      await click("Set oldest");
      await chat.page.locator(`section[data-session="${first}"]`).waitFor();
    });

    test("is forgotten when the chat is cleared, whichever session was set before", async () => {
      await open("given-sessions");
      await click("Set other");
      await streamHalf(0, session("named-by-server"));
      await chat.page.locator("section[data-session=named-by-server]").waitFor();
      await untilWhole();
      await click("Clear");
      await chat.page.locator("section:not([data-session])").waitFor();
      await click("Set newest");
      await chat.page.locator("section[data-session=named-by-server]").waitFor();
    });

    test("is not the first session again after the chat was cleared", async () => {
      await open("given-sessions");
      await streamHalf();
      const first = chat.requests[0]!.body.sessionId;
      await click("Set newest");
      await untilWhole();
      await click("Clear");
      await untilStatus("ready");
      await streamHalf(1);
      expect(chat.requests[1]!.body.sessionId).not.toBe(first);
      await click("Set newest");
      await untilWhole(1);
      // The first conversation is now another chat.
      await click("Set oldest");
      await chat.page.locator(`section[data-session="${first}"]`).waitFor();
      expect(await texts()).toEqual([]);
    });
  });

  test("another session selects another chat, and closes the previous answer", async () => {
    await open("given-sessions");
    await streamHalf();
    await click("Set other");
    await untilState(0, "aborted");
    expect(await texts()).toEqual([]);
    expect(await sessionId()).toBe("other");
  });

  test("removing the session starts a new chat, but never setting one keeps the chat", async () => {
    await open("given-sessions");
    await streamHalf();
    await click("Set none");
    await settle();
    expect(await texts()).toEqual(["Hello", "0: half"]);
    await click("Set newest");
    await settle();
    expect(chat.requests[0]!.state).toBe("open");
    await click("Set none");
    await untilState(0, "aborted");
    expect(await texts()).toEqual([]);
    expect(await sessionId()).toBe(null);
  });

  test("another key selects another chat, even in the same session", async () => {
    await open("given-sessions");
    await streamHalf();
    await click("Set newest");
    await click("Change key");
    await untilState(0, "aborted");
    expect(await texts()).toEqual([]);
    expect(await sessionId()).toBe(chat.requests[0]!.body.sessionId);
  });

  test("two components with one session have separate chats: removing one does not end the other's", async () => {
    await open("same-session");
    await click("Send", "section[aria-label=first]");
    await untilRequested(1);
    await click("Send", "section[aria-label=second]");
    await untilRequested(2);
    for (const { give } of chat.requests) give(delta("Half"));
    await untilText("Half", "first");
    await untilText("Half", "second");
    await click("Toggle");
    await untilState(0, "aborted");
    chat.requests[1]!.give(delta(" an answer"));
    chat.requests[1]!.end();
    await untilStatus("ready", "second");
    expect(await texts("second")).toEqual(["Hello", "Half an answer"]);
    expect(chat.requests.map(({ body }) => body.sessionId)).toEqual(["session-1", "session-1"]);
  });

  describe("a history that is loaded later", () => {
    test("is shown", async () => {
      await open("later-history");
      await untilStatus("ready");
      await click("Load");
      await untilText("Earlier");
      await streamHalf();
      await untilWhole();
      expect(await texts()).toEqual(["Earlier", "Hello", "0: half, whole"]);
    });

    test("is shown, and the run is followed after it", async () => {
      await open("later-history", "?resume");
      await untilStatus("ready");
      await click("Load");
      await untilText("Earlier");
      await untilRequested(1);
      const input = { role: "user", id: "said-Earlier", content: "Earlier" };
      chat.requests[0]!.give({ type: "run-start", runId: "run-1", input }, delta("0: half"));
      await untilText("0: half");
      await untilWhole();
      expect(await texts()).toEqual(["Earlier", "0: half, whole"]);
    });

    test("is sent with a question that an effect sends in the same render", async () => {
      await open("later-history", "?send");
      await untilStatus("ready");
      await click("Load");
      await untilText("Hello");
      const posts = () => chat.requests.filter(({ method }) => method === "POST");
      await untilRequested(1);
      expect(posts()).toHaveLength(1);
      expect(posts()[0]!.body.messages.map(({ content }: { content: string }) => content)).toEqual([
        "Earlier",
        "Hello",
      ]);
      expect(await texts()).toEqual(["Earlier", "Hello"]);
      posts()[0]!.end();
      await untilStatus("ready");
    });

    test("does not replace messages sent in the meantime", async () => {
      await open("later-history");
      await streamHalf();
      await click("Load");
      await untilWhole();
      expect(await texts()).toEqual(["Hello", "0: half, whole"]);
    });

    test("does not return when the chat is cleared or its messages are removed", async () => {
      await open("later-history");
      await click("Load");
      await untilText("Earlier");
      await click("Forget");
      await settle();
      expect(await texts()).toEqual([]);
      await streamHalf();
      expect(chat.requests[0]!.body.messages).toHaveLength(1);
      await untilWhole();
      await click("Clear");
      await untilStatus("ready");
      await settle();
      expect(await texts()).toEqual([]);
    });
  });

  describe("a button with an action as its handler", () => {
    const alert = () => chat.page.getByRole("alert").textContent();
    const code = () => chat.page.locator("output").textContent();

    // An unhandled rejection would fail the test.
    test("shows a refusal without an unhandled rejection", async () => {
      await open("handlers");
      for (const [name, refusal] of [
        ["send", "invalid-message"],
        ["regenerate", "nothing-to-regenerate"],
        ["respond", "not-pending"],
        ["setMessages", "invalid-message"],
      ]) {
        await click(`Call ${name}`);
        await chat.page.locator("output", { hasText: refusal! }).waitFor();
        await untilStatus("ready");
      }
      expect(chat.requests).toEqual([]);
      await streamHalf();
      expect(await chat.page.getByRole("alert").count()).toBe(0);
      await click("Send");
      await chat.page.locator("output", { hasText: "busy" }).waitFor();
      expect(await alert()).toBe("Cannot send while an answer is streaming; call stop() first.");
      await untilStatus("streaming");
      for (const name of ["regenerate", "respond", "setMessages"]) {
        await click(`Call ${name}`);
        await chat.page.locator("p[role=alert]", { hasText: "while an answer is streaming" }).waitFor();
        expect(await code()).toBe("busy");
      }
      await untilWhole();
      expect(await chat.page.getByRole("alert").count()).toBe(0);
      expect(chat.requests).toHaveLength(1);
    });

    test("shows a stop or a clear that failed, and the answer continues", async () => {
      chat.answerWith((request) =>
        request.method === "DELETE"
          ? Response.json({ error: "The database is unavailable." }, { status: 500 })
          : undefined,
      );
      await open("handlers");
      await streamHalf(0, { type: "run-start", runId: "run-1" });
      for (const name of ["stop", "clear"]) {
        await click(`Call ${name}`);
        await chat.page.locator("output", { hasText: "http-status" }).waitFor();
        expect(await alert()).toContain("The database is unavailable.");
        await untilStatus("streaming");
      }
      await untilWhole();
      expect(await chat.page.getByRole("alert").count()).toBe(0);
      // The browser's own report of the two requests; nothing else is wrong.
      const failed =
        "Failed to load resource: the server responded with a status of 500 (Internal Server Error)";
      expect(chat.pageErrors.splice(0)).toEqual([failed, failed]);
    });

    test("stops, clears, resumes and closes, whatever event it passes", async () => {
      await open("handlers");
      await streamHalf();
      await click("Call close");
      await untilState(0, "aborted");
      await untilStatus("ready");
      await click("Call resume");
      await untilRequested(2);
      expect(chat.requests[1]!.search).toBe("?session=session-1");
      chat.requests[1]!.give({ type: "run-start", runId: "run-1" }, delta("Whole"));
      chat.requests[1]!.end();
      await untilText("Whole");
      await untilStatus("ready");
      await click("Call clear");
      await chat.page.locator("section p").first().waitFor({ state: "detached" });
      expect(await chat.page.getByRole("alert").count()).toBe(0);
    });
  });
});
