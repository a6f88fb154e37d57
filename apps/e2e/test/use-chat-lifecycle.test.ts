import type { StreamChunk } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium } from "./chromium.ts";
import { useChatPage } from "./react-scenes.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
/** In StrictMode and without. */
const modes = ["", "?once"];

// The React that has `<Activity>`, and the last one before 19, in which other effects are cleaned up.
describe.skipIf(!hasChromium()).each(["18", "19"] as const)("useChat of React %s in Chromium", (version) => {
  const chat = useChatPage(version);
  const { open, click, texts, untilStatus, untilText, untilAsked, untilState } = chat;

  /** Asks for an answer, of which the first half has come. */
  async function askForHalf(): Promise<void> {
    await click("Send");
    await untilAsked(1);
    chat.asked[0]!.give(delta("Half"));
    await untilText("Half");
  }

  /** The answer that is on its way comes to its end, and nothing else was asked for. */
  async function untilWhole(index = 0): Promise<void> {
    chat.asked[index]!.give(delta(" an answer"));
    await untilText("Half an answer");
    chat.asked[index]!.end();
    await untilStatus("ready");
    expect(chat.asked.map(({ state }) => state)).toEqual(chat.asked.map(() => "ended"));
  }

  test("a first question that an effect sends is asked once, and its answer comes whole", async () => {
    for (const mode of modes) {
      await open("first-question", mode);
      const index = modes.indexOf(mode);
      await untilAsked(index + 1);
      chat.asked[index]!.give(delta("Half"));
      await untilText("Half");
      await untilWhole(index);
      expect(await texts()).toEqual(["Hello", "Half an answer"]);
      expect(chat.asked).toHaveLength(index + 1);
    }
  });

  test("Fast Refresh cuts no answer off, and follows no run twice", async () => {
    for (const [index, mode] of modes.entries()) {
      await open("refreshed", mode);
      await untilAsked(index + 1);
      expect(chat.asked[index]!.search).toBe("?session=session-1");
      chat.asked[index]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
      await untilText("Half");
      await click("Edit text");
      await chat.page.getByRole("heading", { name: "Second" }).waitFor();
      expect(chat.asked[index]!.state).toBe("open");
      await untilWhole(index);
      // No request is open now that a second one could wait for.
      await click("Edit text");
      await click("Send");
      await untilAsked(index + 2);
      expect(chat.asked[index + 1]!.method).toBe("POST");
      chat.asked.splice(index + 1);
    }
  });

  test("an edit that mounts the component anew leaves the chat of the old one", async () => {
    await open("refreshed");
    await untilAsked(1);
    chat.asked[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
    await untilText("Half");
    await click("Edit hooks");
    await chat.page.getByRole("heading", { name: "Second" }).waitFor();
    await untilState(0, "left");
    await untilAsked(2);
    expect(chat.asked[1]!.search).toBe("?session=session-1");
    chat.asked[1]!.end();
  });

  for (const scene of ["suspended-itself", "suspended-by-neighbour"] as const) {
    test(`a component that is ${scene.replaceAll("-", " ")} continues, and leaves when it is removed`, async () => {
      for (const mode of modes) {
        chat.asked.splice(0);
        await open(scene, mode);
        if (scene === "suspended-itself") {
          await untilAsked(1);
          chat.asked[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
          await untilText("Half");
        } else {
          await askForHalf();
        }
        await click("Suspend");
        await chat.page.getByText("Loading").waitFor();
        chat.asked[0]!.give(delta(" an"));
        await click("Continue");
        await untilText("Half an");
        expect(chat.asked.map(({ state }) => state)).toEqual(["open"]);
        await click("Suspend");
        await chat.page.getByText("Loading").waitFor();
        expect(chat.asked.map(({ state }) => state)).toEqual(["open"]);
        await click("Remove");
        await untilState(0, "left");
      }
    });
  }

  test("a component that is thrown away before it is mounted has asked for nothing", async () => {
    await open("suspended-first");
    await chat.page.getByText("Loading").waitFor();
    await click("Remove");
    await chat.page.getByText("Loading").waitFor({ state: "detached" });
    expect(chat.asked).toEqual([]);
  });

  test("a component that waits before it is mounted asks once when it is", async () => {
    await open("suspended-first");
    await chat.page.getByText("Loading").waitFor();
    await click("Continue");
    await untilAsked(1);
    chat.asked[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
    await untilText("Half");
    await untilWhole();
    expect(chat.asked).toHaveLength(1);
  });

  test("a render that is never committed changes nothing: the chat on the screen continues", async () => {
    for (const mode of modes) {
      chat.asked.splice(0);
      await open("transition", mode);
      await askForHalf();
      await click("Go");
      chat.asked[0]!.give(delta(" an"));
      await untilText("Half an");
      await click("Back");
      chat.asked[0]!.give(delta(" answer"));
      await untilText("Half an answer");
      chat.asked[0]!.end();
      await untilStatus("ready");
      expect(chat.asked.map(({ state }) => state)).toEqual(["ended"]);
    }
  });

  test("a page that a server has rendered with a new chat hydrates as it is", async () => {
    for (const mode of ["?rendered", "?rendered&once"]) {
      chat.asked.splice(0);
      await open("plain", mode);
      await untilStatus("ready");
      expect(await chat.page.locator("section").getAttribute("data-session")).toBe(null);
      await askForHalf();
      await untilWhole();
    }
  });

  if (version === "18") return;

  test("a component that is hidden continues, and is whole when it is shown", async () => {
    for (const mode of modes) {
      chat.asked.splice(0);
      await open("hide-and-seek", mode);
      await askForHalf();
      await click("Hide");
      await chat.page.locator("section").waitFor({ state: "hidden" });
      chat.asked[0]!.give(delta(" an answer"));
      chat.asked[0]!.end();
      await untilState(0, "ended");
      await click("Show");
      await untilText("Half an answer");
      await untilStatus("ready");
      expect(chat.asked).toHaveLength(1);
    }
  });

  test("a component that is removed while it is hidden leaves", async () => {
    for (const mode of modes) {
      chat.asked.splice(0);
      await open("hide-and-seek", mode);
      await askForHalf();
      await click("Hide");
      await chat.page.locator("section").waitFor({ state: "hidden" });
      expect(chat.asked[0]!.state).toBe("open");
      await click("Remove");
      await untilState(0, "left");
    }
  });

  test("resumeOnMount asks once per appearance, and not while it is hidden", async () => {
    for (const mode of modes) {
      chat.asked.splice(0);
      await open("hidden-first", mode);
      await chat.page.locator("section").waitFor({ state: "attached" });
      expect(chat.asked).toEqual([]);
      for (const count of [1, 2]) {
        await click("Show");
        await untilAsked(count);
        chat.asked[count - 1]!.give({ type: "run-start", runId: `run-${count}` }, delta(`Answer ${count}`));
        chat.asked[count - 1]!.end();
        await untilText(`Answer ${count}`);
        await untilStatus("ready");
        await click("Hide");
        await chat.page.locator("section").waitFor({ state: "hidden" });
        expect(chat.asked).toHaveLength(count);
      }
    }
  });
});
