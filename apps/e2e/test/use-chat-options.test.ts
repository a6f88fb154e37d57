import type { StreamChunk } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium } from "./chromium.ts";
import { useChatPage } from "./react-scenes.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const session = (sessionId: string): StreamChunk => ({ type: "session", sessionId });

describe.skipIf(!hasChromium())("useChat in Chromium", () => {
  const chat = useChatPage("19");
  const { open, click, texts, untilStatus, untilText, untilAsked, untilState } = chat;
  const sessionId = () => chat.page.locator("section").getAttribute("data-session");
  /** React has nothing more to do that was begun before. */
  const settle = () =>
    chat.page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve, { timeout: 500 })));

  /** Asks for an answer, of which the first half has come. */
  async function askForHalf(index = 0, ...first: StreamChunk[]): Promise<void> {
    await click("Send");
    await untilAsked(index + 1);
    chat.asked[index]!.give(...first, delta(`${index}: half`));
    await untilText(`${index}: half`);
  }

  /** The answer that is on its way comes to its end. */
  async function untilWhole(index = 0): Promise<void> {
    chat.asked[index]!.give(delta(", whole"));
    await untilText(`${index}: half, whole`);
    chat.asked[index]!.end();
    await untilStatus("ready");
    expect(chat.asked[index]!.state).toBe("ended");
  }

  describe("the session that the chat has", () => {
    test("is the same chat when it is given back, while the answer is growing", async () => {
      await open("given-sessions");
      await askForHalf();
      await click("Give newest");
      await untilWhole();
      expect(await texts()).toEqual(["Hello", "0: half, whole"]);
      await askForHalf(1);
      expect(chat.asked[1]!.body.sessionId).toBe(chat.asked[0]!.body.sessionId);
      chat.asked[1]!.end();
    });

    test("is the same chat when it is given back before React has rendered it", async () => {
      await open("given-sessions");
      await click("Send and give");
      await untilAsked(1);
      chat.asked[0]!.give(delta("0: half"));
      await untilText("0: half");
      await untilWhole();
      expect(await texts()).toEqual(["Hello", "0: half, whole"]);
    });

    test("may go into a URL and come back at once, and again when the server names another one, or it is cleared", async () => {
      await open("session-in-url");
      await askForHalf(0, session("named-by-server"));
      await untilWhole();
      expect(await sessionId()).toBe("named-by-server");
      await click("Clear");
      await untilStatus("ready");
      expect(await texts()).toEqual([]);
      expect(await sessionId()).toBe(null);
      await askForHalf(1);
      expect(await sessionId()).toBe(chat.asked[1]!.body.sessionId);
      expect(chat.asked[1]!.body.sessionId).not.toBe("named-by-server");
      await untilWhole(1);
    });

    test("is the same chat when an earlier one comes back late, and then the newest", async () => {
      await open("given-sessions");
      await askForHalf(0);
      const first = chat.asked[0]!.body.sessionId;
      chat.asked[0]!.give(session("named-by-server"));
      await chat.page.locator("section[data-session=named-by-server]").waitFor();
      await click("Give oldest");
      await settle();
      await click("Give newest");
      await untilWhole();
      // From now on, the earlier one is another conversation.
      await click("Give oldest");
      await chat.page.locator(`section[data-session="${first}"]`).waitFor();
      expect(await texts()).toEqual([]);
    });

    test("is forgotten when the chat is cleared: given back then, it is another chat", async () => {
      await open("given-sessions");
      await askForHalf();
      await untilWhole();
      const first = await sessionId();
      await click("Clear");
      await chat.page.locator("section:not([data-session])").waitFor();
      await click("Give oldest");
      await chat.page.locator(`section[data-session="${first}"]`).waitFor();
    });

    test("is forgotten when the chat is cleared, whatever was given before", async () => {
      await open("given-sessions");
      await click("Give other");
      await askForHalf(0, session("named-by-server"));
      await chat.page.locator("section[data-session=named-by-server]").waitFor();
      await untilWhole();
      await click("Clear");
      await chat.page.locator("section:not([data-session])").waitFor();
      await click("Give newest");
      await chat.page.locator("section[data-session=named-by-server]").waitFor();
    });

    test("is not the one that was asked for first, once it was cleared", async () => {
      await open("given-sessions");
      await askForHalf();
      const first = chat.asked[0]!.body.sessionId;
      await click("Give newest");
      await untilWhole();
      await click("Clear");
      await untilStatus("ready");
      await askForHalf(1);
      expect(chat.asked[1]!.body.sessionId).not.toBe(first);
      await click("Give newest");
      await untilWhole(1);
      // The first conversation is another one now.
      await click("Give oldest");
      await chat.page.locator(`section[data-session="${first}"]`).waitFor();
      expect(await texts()).toEqual([]);
    });
  });

  test("another session is another chat, and the answer of the one before is left", async () => {
    await open("given-sessions");
    await askForHalf();
    await click("Give other");
    await untilState(0, "left");
    expect(await texts()).toEqual([]);
    expect(await sessionId()).toBe("other");
  });

  test("no session after one is a new chat; no session all along is the same", async () => {
    await open("given-sessions");
    await askForHalf();
    await click("Give none");
    await settle();
    expect(await texts()).toEqual(["Hello", "0: half"]);
    await click("Give newest");
    await settle();
    expect(chat.asked[0]!.state).toBe("open");
    await click("Give none");
    await untilState(0, "left");
    expect(await texts()).toEqual([]);
    expect(await sessionId()).toBe(null);
  });

  test("another key is another chat, in the same session too", async () => {
    await open("given-sessions");
    await askForHalf();
    await click("Give newest");
    await click("Change key");
    await untilState(0, "left");
    expect(await texts()).toEqual([]);
    expect(await sessionId()).toBe(chat.asked[0]!.body.sessionId);
  });

  test("two components with one session have a chat each: one that goes does not end the other's", async () => {
    await open("same-session");
    await click("Send", "section[aria-label=first]");
    await untilAsked(1);
    await click("Send", "section[aria-label=second]");
    await untilAsked(2);
    for (const { give } of chat.asked) give(delta("Half"));
    await untilText("Half", "first");
    await untilText("Half", "second");
    await click("Toggle");
    await untilState(0, "left");
    chat.asked[1]!.give(delta(" an answer"));
    chat.asked[1]!.end();
    await untilStatus("ready", "second");
    expect(await texts("second")).toEqual(["Hello", "Half an answer"]);
    expect(chat.asked.map(({ body }) => body.sessionId)).toEqual(["session-1", "session-1"]);
  });

  describe("a history that is loaded later", () => {
    test("is shown", async () => {
      await open("later-history");
      await untilStatus("ready");
      await click("Load");
      await untilText("Earlier");
      await askForHalf();
      await untilWhole();
      expect(await texts()).toEqual(["Earlier", "Hello", "0: half, whole"]);
    });

    test("is shown, and the run is followed after it", async () => {
      await open("later-history", "?resume");
      await untilStatus("ready");
      await click("Load");
      await untilText("Earlier");
      await untilAsked(1);
      const input = { role: "user", id: "said-Earlier", content: "Earlier" };
      chat.asked[0]!.give({ type: "run-start", runId: "run-1", input }, delta("0: half"));
      await untilText("0: half");
      await untilWhole();
      expect(await texts()).toEqual(["Earlier", "0: half, whole"]);
    });

    test("is sent with a question that an effect asks in the same render", async () => {
      await open("later-history", "?send");
      await untilStatus("ready");
      await click("Load");
      await untilText("Hello");
      const posts = () => chat.asked.filter(({ method }) => method === "POST");
      await untilAsked(1);
      expect(posts()).toHaveLength(1);
      expect(posts()[0]!.body.messages.map(({ content }: { content: string }) => content)).toEqual([
        "Earlier",
        "Hello",
      ]);
      expect(await texts()).toEqual(["Earlier", "Hello"]);
      posts()[0]!.end();
      await untilStatus("ready");
    });

    test("is not put in place of what was said meanwhile", async () => {
      await open("later-history");
      await askForHalf();
      await click("Load");
      await untilWhole();
      expect(await texts()).toEqual(["Hello", "0: half, whole"]);
    });

    test("does not come back when the chat is cleared, or messages are taken away", async () => {
      await open("later-history");
      await click("Load");
      await untilText("Earlier");
      await click("Forget");
      await settle();
      expect(await texts()).toEqual([]);
      await askForHalf();
      expect(chat.asked[0]!.body.messages).toHaveLength(1);
      await untilWhole();
      await click("Clear");
      await untilStatus("ready");
      await settle();
      expect(await texts()).toEqual([]);
    });
  });

  describe("a button that calls an action as it is", () => {
    const alert = () => chat.page.getByRole("alert").textContent();
    const code = () => chat.page.locator("output").textContent();

    // An unhandled rejection would be a complaint of the page.
    test("shows what was refused, and no rejection is unhandled", async () => {
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
      expect(chat.asked).toEqual([]);
      await askForHalf();
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
      expect(chat.asked).toHaveLength(1);
    });

    test("shows a stop or a clear that failed, and the answer continues", async () => {
      chat.answerWith((request) =>
        request.method === "DELETE"
          ? Response.json({ error: "The database is away." }, { status: 500 })
          : undefined,
      );
      await open("handlers");
      await askForHalf(0, { type: "run-start", runId: "run-1" });
      for (const name of ["stop", "clear"]) {
        await click(`Call ${name}`);
        await chat.page.locator("output", { hasText: "http-status" }).waitFor();
        expect(await alert()).toContain("The database is away.");
        await untilStatus("streaming");
      }
      await untilWhole();
      expect(await chat.page.getByRole("alert").count()).toBe(0);
      // What the browser itself says of the two requests; nothing else is wrong.
      const failed =
        "Failed to load resource: the server responded with a status of 500 (Internal Server Error)";
      expect(chat.complaints.splice(0)).toEqual([failed, failed]);
    });

    test("stops, clears, resumes and closes, whatever event it passes", async () => {
      await open("handlers");
      await askForHalf();
      await click("Call close");
      await untilState(0, "left");
      await untilStatus("ready");
      await click("Call resume");
      await untilAsked(2);
      expect(chat.asked[1]!.search).toBe("?session=session-1");
      chat.asked[1]!.give({ type: "run-start", runId: "run-1" }, delta("Whole"));
      chat.asked[1]!.end();
      await untilText("Whole");
      await untilStatus("ready");
      await click("Call clear");
      await chat.page.locator("section p").first().waitFor({ state: "detached" });
      expect(await chat.page.getByRole("alert").count()).toBe(0);
    });
  });
});
