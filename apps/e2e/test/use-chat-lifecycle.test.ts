import type { StreamChunk } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium } from "./chromium.ts";
import { useChatPage } from "./react-scenes.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
/** In StrictMode and without. */
const modes = ["", "?once"];

// React 19 has `<Activity>`; React 18 cleans up effects in other situations.
describe.skipIf(!hasChromium()).each(["18", "19"] as const)("useChat of React %s in Chromium", (version) => {
  const chat = useChatPage(version);
  const { open, click, texts, untilStatus, untilText, untilRequested, untilState } = chat;

  /** Sends a message and streams the first half of the answer. */
  async function streamHalf(): Promise<void> {
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half"));
    await untilText("Half");
  }

  /** Completes the answer in progress, and checks that no other request was made. */
  async function untilWhole(index = 0): Promise<void> {
    chat.requests[index]!.give(delta(" an answer"));
    await untilText("Half an answer");
    chat.requests[index]!.end();
    await untilStatus("ready");
    expect(chat.requests.map(({ state }) => state)).toEqual(chat.requests.map(() => "ended"));
  }

  test("a first question sent by an effect is requested once, and its answer completes", async () => {
    for (const mode of modes) {
      await open("first-question", mode);
      const index = modes.indexOf(mode);
      await untilRequested(index + 1);
      chat.requests[index]!.give(delta("Half"));
      await untilText("Half");
      await untilWhole(index);
      expect(await texts()).toEqual(["Hello", "Half an answer"]);
      expect(chat.requests).toHaveLength(index + 1);
    }
  });

  test("a tool of the page runs once, and its result continues the answer", async () => {
    for (const [index, mode] of modes.entries()) {
      await open("tool-of-the-page", mode);
      await click("Send");
      await untilRequested(2 * index + 1);
      const call = { tool: "count", toolCallId: "c1", input: null, executor: "client" } as const;
      const calls = { type: "done", finishReason: "tool-calls" } as const;
      chat.requests[2 * index]!.give({ type: "tool-call-ready", ...call }, calls);
      chat.requests[2 * index]!.end();
      await untilRequested(2 * index + 2);
      expect(chat.requests[2 * index + 1]!.body.toolResults).toEqual([
        { toolCallId: "c1", tool: "count", content: 1 },
      ]);
      chat.requests[2 * index + 1]!.give(delta("Half an answer"));
      await untilText("Half an answer");
      chat.requests[2 * index + 1]!.end();
      await untilStatus("ready");
    }
  });

  test("Fast Refresh interrupts no answer and follows no run twice", async () => {
    for (const [index, mode] of modes.entries()) {
      await open("refreshed", mode);
      await untilRequested(index + 1);
      expect(chat.requests[index]!.search).toBe("?session=session-1");
      chat.requests[index]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
      await untilText("Half");
      await click("Edit text");
      await chat.page.getByRole("heading", { name: "Second" }).waitFor();
      expect(chat.requests[index]!.state).toBe("open");
      await untilWhole(index);
      // No request is open now that could hold back a second one.
      await click("Edit text");
      await click("Send");
      await untilRequested(index + 2);
      expect(chat.requests[index + 1]!.method).toBe("POST");
      chat.requests.splice(index + 1);
    }
  });

  test("an edit that remounts the component closes the chat of the old one", async () => {
    await open("refreshed");
    await untilRequested(1);
    chat.requests[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
    await untilText("Half");
    await click("Edit hooks");
    await chat.page.getByRole("heading", { name: "Second" }).waitFor();
    await untilState(0, "aborted");
    await untilRequested(2);
    expect(chat.requests[1]!.search).toBe("?session=session-1");
    chat.requests[1]!.end();
  });

  for (const scene of ["suspended-itself", "suspended-by-neighbour"] as const) {
    test(`a component that is ${scene.replaceAll("-", " ")} continues, and closes its chat when it is removed`, async () => {
      for (const mode of modes) {
        chat.requests.splice(0);
        await open(scene, mode);
        if (scene === "suspended-itself") {
          await untilRequested(1);
          chat.requests[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
          await untilText("Half");
        } else {
          await streamHalf();
        }
        await click("Suspend");
        await chat.page.getByText("Loading").waitFor();
        chat.requests[0]!.give(delta(" an"));
        await click("Continue");
        await untilText("Half an");
        expect(chat.requests.map(({ state }) => state)).toEqual(["open"]);
        await click("Suspend");
        await chat.page.getByText("Loading").waitFor();
        expect(chat.requests.map(({ state }) => state)).toEqual(["open"]);
        await click("Remove");
        await untilState(0, "aborted");
      }
    });
  }

  test("a component discarded before it is mounted makes no request", async () => {
    await open("suspended-first");
    await chat.page.getByText("Loading").waitFor();
    await click("Remove");
    await chat.page.getByText("Loading").waitFor({ state: "detached" });
    expect(chat.requests).toEqual([]);
  });

  test("a component that suspends before it is mounted makes one request once it is", async () => {
    await open("suspended-first");
    await chat.page.getByText("Loading").waitFor();
    await click("Continue");
    await untilRequested(1);
    chat.requests[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
    await untilText("Half");
    await untilWhole();
    expect(chat.requests).toHaveLength(1);
  });

  test("a render that is never committed changes nothing: the chat on the screen continues", async () => {
    for (const mode of modes) {
      chat.requests.splice(0);
      await open("transition", mode);
      await streamHalf();
      await click("Go");
      chat.requests[0]!.give(delta(" an"));
      await untilText("Half an");
      await click("Back");
      chat.requests[0]!.give(delta(" answer"));
      await untilText("Half an answer");
      chat.requests[0]!.end();
      await untilStatus("ready");
      expect(chat.requests.map(({ state }) => state)).toEqual(["ended"]);
    }
  });

  test("a page rendered on a server with a new chat hydrates unchanged", async () => {
    for (const mode of ["?rendered", "?rendered&once"]) {
      chat.requests.splice(0);
      await open("plain", mode);
      await untilStatus("ready");
      expect(await chat.page.locator("section").getAttribute("data-session")).toBe(null);
      await streamHalf();
      await untilWhole();
    }
  });

  if (version === "18") return;

  test("a hidden component continues, and is complete when it is shown", async () => {
    for (const mode of modes) {
      chat.requests.splice(0);
      await open("hide-and-seek", mode);
      await streamHalf();
      await click("Hide");
      await chat.page.locator("section").waitFor({ state: "hidden" });
      chat.requests[0]!.give(delta(" an answer"));
      chat.requests[0]!.end();
      await untilState(0, "ended");
      await click("Show");
      await untilText("Half an answer");
      await untilStatus("ready");
      expect(chat.requests).toHaveLength(1);
    }
  });

  test("a component that is removed while hidden closes its chat", async () => {
    for (const mode of modes) {
      chat.requests.splice(0);
      await open("hide-and-seek", mode);
      await streamHalf();
      await click("Hide");
      await chat.page.locator("section").waitFor({ state: "hidden" });
      expect(chat.requests[0]!.state).toBe("open");
      await click("Remove");
      await untilState(0, "aborted");
    }
  });

  test("resumeOnMount makes one request per appearance, and none while hidden", async () => {
    for (const mode of modes) {
      chat.requests.splice(0);
      await open("hidden-first", mode);
      await chat.page.locator("section").waitFor({ state: "attached" });
      expect(chat.requests).toEqual([]);
      for (const count of [1, 2]) {
        await click("Show");
        await untilRequested(count);
        chat.requests[count - 1]!.give(
          { type: "run-start", runId: `run-${count}` },
          delta(`Answer ${count}`),
        );
        chat.requests[count - 1]!.end();
        await untilText(`Answer ${count}`);
        await untilStatus("ready");
        await click("Hide");
        await chat.page.locator("section").waitFor({ state: "hidden" });
        expect(chat.requests).toHaveLength(count);
      }
    }
  });
});
