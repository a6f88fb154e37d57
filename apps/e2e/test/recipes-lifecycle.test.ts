import { readFileSync } from "node:fs";
import type { StreamChunk } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium } from "./chromium.ts";
import { type Library, loadScenes, useRecipePage } from "./recipe-scenes.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

/** A page of a library with an answer in progress. */
function setUp(library: Library) {
  const chat = useRecipePage(library);
  return {
    ...chat,
    get page() {
      return chat.page;
    },
    get requests() {
      return chat.requests;
    },
    get pageErrors() {
      return chat.pageErrors;
    },
    async streamHalf(): Promise<void> {
      await chat.click("Send");
      await chat.untilRequested(1);
      chat.requests[0]!.give(delta("Half"));
      await chat.untilText("Half");
    },
    async untilWhole(): Promise<void> {
      chat.requests[0]!.give(delta(" an answer"));
      await chat.untilText("Half an answer");
      chat.requests[0]!.end();
      await chat.untilStatus("ready");
      expect(chat.requests.map(({ state }) => state)).toEqual(["ended"]);
    },
  };
}

type Chat = ReturnType<typeof setUp>;

function describeVue(chat: Chat): void {
  test("continues while its component is kept alive, and shows the whole answer when it returns", async () => {
    await chat.open("kept-alive");
    await chat.streamHalf();
    await chat.click("Toggle");
    await chat.page.locator("section").waitFor({ state: "detached" });
    chat.requests[0]!.give(delta(" an answer"));
    chat.requests[0]!.end();
    await chat.untilState(0, "ended");
    await chat.click("Toggle");
    await chat.untilText("Half an answer");
    await chat.untilStatus("ready");
  });

  test("cancels at once when its component leaves with a transition", async () => {
    await chat.open("leaving");
    await chat.streamHalf();
    await chat.click("Toggle");
    await chat.untilState(0, "aborted");
    expect(await chat.page.locator("section").count()).toBe(1);
  });

  test("continues when the template is edited", async () => {
    await chat.open("edited");
    await chat.streamHalf();
    await chat.click("Edit template");
    await chat.page.getByRole("heading", { name: "Edited" }).waitFor();
    chat.requests[0]!.give(delta(" an answer"));
    chat.requests[0]!.end();
    await chat.untilState(0, "ended");
  });

  test("hydrates a page rendered on a server", async () => {
    await chat.open("plain", "?rendered");
    await chat.streamHalf();
    await chat.untilWhole();
  });
}

function describeSvelte(chat: Chat): void {
  test("continues while its component fades out, and cancels when it is removed", async () => {
    await chat.open("leaving");
    await chat.streamHalf();
    await chat.click("Toggle");
    await chat.page.locator("section").waitFor({ state: "detached" });
    await chat.untilState(0, "aborted");
  });

  test("hydrates a page rendered on a server", async () => {
    await chat.open("plain", "?rendered");
    await chat.streamHalf();
    await chat.untilWhole();
  });
}

function describeSolid(chat: Chat): void {
  test("continues while its component is suspended, also in a transition", async () => {
    for (const button of ["Suspend", "Suspend later"]) {
      chat.requests.splice(0);
      await chat.open("suspended-again");
      await chat.streamHalf();
      await chat.click(button);
      if (button === "Suspend") await chat.page.getByText("Loading").waitFor();
      chat.requests[0]!.give(delta(" an"));
      await chat.click("Continue");
      await chat.untilText("Half an");
      chat.requests[0]!.give(delta(" answer"));
      chat.requests[0]!.end();
      await chat.untilText("Half an answer");
      await chat.untilStatus("ready");
      expect(chat.requests.map(({ state }) => state)).toEqual(["ended"]);
    }
  });

  test("renders on a server", async () => {
    const { render } = await loadScenes("solid");
    expect(await render!("plain")).toBe("ready 0 undefined");
  });
}

const libraries = { vue: describeVue, svelte: describeSvelte, solid: describeSolid };

describe.skipIf(!hasChromium()).each(["vue", "svelte", "solid"] as const)(
  "the recipe for %s in Chromium",
  (library) => {
    const chat = setUp(library);
    libraries[library](chat);

    test("cancels when its component is removed", async () => {
      await chat.open("removed");
      await chat.streamHalf();
      await chat.click("Toggle");
      await chat.untilState(0, "aborted");
    });

    test("cancels when its component is removed before it was ready", async () => {
      await chat.open("suspended");
      await chat.untilRequested(1);
      await chat.page.getByText("Loading").waitFor();
      await chat.click("Toggle");
      await chat.untilState(0, "aborted");
    });

    test("shows that Stop failed when used as an event handler, without an unhandled rejection", async () => {
      chat.answerWith((request) =>
        request.method === "DELETE" ? Response.json({ error: "Away." }, { status: 500 }) : undefined,
      );
      await chat.open("removed");
      await chat.click("Send");
      await chat.untilRequested(1);
      chat.requests[0]!.give({ type: "run-start", runId: "run-1" }, delta("Half"));
      await chat.untilText("Half");
      await chat.click("Stop");
      await chat.page.getByRole("alert").waitFor();
      await chat.untilWhole();
      expect(chat.pageErrors.splice(0)).toEqual([
        "Failed to load resource: the server responded with a status of 500 (Internal Server Error)",
      ]);
    });
  },
);

test("the recipe for Svelte is the one tested here", () => {
  const component = readFileSync(new URL("../use-chat/conversation.svelte", import.meta.url), "utf8");
  const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");
  const recipe = 'const chat = createChat({ endpoint: "/api/chat" });\n$effect.pre(() => chat.close);\n';
  expect(component).toContain(recipe);
  expect(readme).toContain(recipe);
});
