import type { StreamChunk } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium } from "./chromium.ts";
import { useChatPage } from "./react-scenes.ts";

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

describe.skipIf(!hasChromium())("useChat in Chromium", () => {
  const chat = useChatPage("19");
  const { open, click, texts, untilStatus, untilText, untilRequested, untilState } = chat;

  test("an answer streams in under StrictMode, with one request", async () => {
    await open("plain");
    await click("Send");
    await untilStatus("submitted");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half an"));
    await untilText("Half an");
    expect(await texts()).toEqual(["Hello", "Half an"]);
    await untilStatus("streaming");
    chat.requests[0]!.give(delta(" answer"), { type: "done" });
    chat.requests[0]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["Hello", "Half an answer"]);
    expect(chat.requests).toMatchObject([
      {
        method: "POST",
        search: "",
        body: {
          messages: [{ role: "user", content: "Hello" }],
          sessionId: expect.stringMatching(uuidV4),
        },
      },
    ]);
  });

  test("Stop ends the agent on the server and keeps the partial answer", async () => {
    await open("plain");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half"));
    await untilText("Half");
    await click("Stop");
    await untilStatus("ready");
    await untilState(0, "aborted");
    expect(await texts()).toEqual(["Hello", "Half"]);
  });

  test("an error is shown, and the next question works", async () => {
    await open("plain");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half"), { type: "error", message: "Overloaded" });
    chat.requests[0]!.end();
    await untilStatus("error");
    expect(await chat.page.getByRole("alert").textContent()).toBe("Overloaded");
    await click("Send");
    await untilRequested(2);
    chat.requests[1]!.give(delta("Whole"));
    chat.requests[1]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["Hello", "Half", "Hello", "Whole"]);
    expect(await chat.page.getByRole("alert").count()).toBe(0);
  });

  test("resumeOnMount follows the session's run with one request, also in StrictMode", async () => {
    await open("resumed");
    await untilRequested(1);
    expect(chat.requests[0]).toMatchObject({ method: "GET", search: "?session=session-1" });
    chat.requests[0]!.give(
      { type: "run-start", runId: "run-1", input: { role: "user", content: "Earlier", id: "u1" } },
      delta("Here"),
    );
    await untilText("Here");
    expect(await texts()).toEqual(["Earlier", "Here"]);
    chat.requests[0]!.give({ type: "done" });
    chat.requests[0]!.end();
    await untilStatus("ready");
    expect(chat.requests).toHaveLength(1);
  });

  test("a change of resumeOnMount during an answer does not affect it", async () => {
    await open("later-resumed");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half"));
    await untilText("Half");
    await click("Toggle");
    chat.requests[0]!.give(delta(" an answer"), { type: "done" });
    chat.requests[0]!.end();
    await untilText("Half an answer");
    await untilStatus("ready");
    await click("Toggle");
    await click("Toggle");
    await untilRequested(2);
    expect(chat.requests[1]!.method).toBe("GET");
    chat.requests[1]!.end();
  });

  test("a page rendered on a server continues in the browser", async () => {
    await open("restored", "?rendered");
    await click("Send");
    await untilRequested(1);
    expect(chat.requests[0]!.body).toMatchObject({
      sessionId: "session-1",
      messages: [{ content: "Earlier" }, { content: "Hello" }],
    });
    chat.requests[0]!.give(delta("Here"));
    chat.requests[0]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["Earlier", "Hello", "Here"]);
  });

  test("a component that disappears ends the agent on the server, and starts over when it returns", async () => {
    await open("removable");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half"));
    await untilText("Half");
    await click("Toggle");
    await untilState(0, "aborted");
    await click("Toggle");
    await untilStatus("ready");
    expect(await texts()).toEqual([]);
  });

  test("two components share a chat: both show it, and it continues without one of them", async () => {
    await open("shared");
    await click("Send", "section[aria-label=second]");
    await untilRequested(1);
    chat.requests[0]!.give(delta("Half"));
    await untilText("Half", "first");
    await untilText("Half", "second");
    await click("Toggle");
    await chat.page.locator("section[aria-label=first]").waitFor({ state: "detached" });
    chat.requests[0]!.give(delta(" an answer"));
    await untilText("Half an answer", "second");
    await click("Toggle");
    await untilText("Half an answer", "first");
    await click("Stop", "section[aria-label=first]");
    await untilStatus("ready", "second");
    await untilState(0, "aborted");
    expect(chat.requests).toHaveLength(1);
  });

  test("a component that switches from its own chat to a shared one and back closes its own, not the shared one", async () => {
    await open("own-or-shared");
    await click("Send");
    await untilRequested(1);
    expect(chat.requests[0]!.body.sessionId).toBe("own");
    chat.requests[0]!.give(delta("Own"));
    await untilText("Own");
    await click("Toggle");
    await untilState(0, "aborted");
    expect(await texts()).toEqual([]);
    await click("Send");
    await untilRequested(2);
    chat.requests[1]!.give(delta("Shared"));
    await untilText("Shared");
    await click("Toggle");
    await untilStatus("ready");
    expect(await texts()).toEqual([]);
    chat.requests[1]!.give(delta(" on"));
    await click("Toggle");
    await untilText("Shared on");
    expect(chat.requests[1]!.state).toBe("open");
    chat.requests[1]!.end();
    await untilStatus("ready");
  });

  test("another sessionId selects another chat, and closes the previous one", async () => {
    await open("sessions");
    await untilText("In one");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("First"));
    await untilText("First");
    await click("Toggle");
    await untilText("In two");
    expect(await texts()).toEqual(["In two"]);
    await untilStatus("ready");
    await untilState(0, "aborted");
    await click("Send");
    await untilRequested(2);
    expect(chat.requests.map(({ body }) => body.sessionId)).toEqual(["one", "two"]);
    chat.requests[1]!.give(delta("Second"));
    chat.requests[1]!.end();
    await untilText("Second");
    await untilStatus("ready");
    expect(await texts()).toEqual(["In two", "Hello", "Second"]);
    await click("Toggle");
    expect(await texts()).toEqual(["In one"]);
    // Each end was reported to its own chat's options.
    expect(await chat.page.locator("output").textContent()).toBe("one,two");
  });

  test("options are those of the last render", async () => {
    await open("latest-options");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("1"));
    await untilText("1");
    await click("Toggle");
    chat.requests[0]!.end();
    await untilStatus("ready");
    await click("Send");
    await untilRequested(2);
    await click("Toggle");
    chat.requests[1]!.end();
    await untilStatus("ready");
    expect(chat.requests.map(({ search, version, body }) => [search, version, body.context])).toEqual([
      ["?version=1", "1", { version: 1 }],
      ["?version=2", "2", { version: 2 }],
    ]);
    // Called after the version had changed.
    expect(await chat.page.locator("output").textContent()).toBe("v2,v3");
  });

  test("options are those of the last render for an effect of a child, too", async () => {
    await open("eager");
    await click("Toggle");
    await untilRequested(1);
    expect(chat.requests[0]!.version).toBe("2");
    chat.requests[0]!.end();
    await untilStatus("ready");
  });

  test("a form is emptied when it is sent, and Enter does nothing while an answer is streaming", async () => {
    await open("form");
    const input = chat.page.locator("input");
    await input.fill("One");
    await input.press("Enter");
    await untilRequested(1);
    expect(await input.inputValue()).toBe("");
    chat.requests[0]!.give(delta("Half"));
    await untilText("Half");
    await input.fill("Two");
    await input.press("Enter");
    chat.requests[0]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["One", "Half"]);
    expect(await input.inputValue()).toBe("Two");
    await input.press("Enter");
    await untilRequested(2);
    expect(await texts()).toEqual(["One", "Half", "Two"]);
    chat.requests[1]!.end();
    await untilStatus("ready");
  });

  test("10,000 deltas render at most once per frame", async () => {
    await open("plain", "?once");
    await click("Send");
    await untilRequested(1);
    chat.requests[0]!.give(delta("0 "));
    await untilStatus("streaming");
    const read = () => chat.page.evaluate(() => ({ ...window.counts, now: performance.now() }));
    const before = await read();
    for (let burst = 0; burst < 200; burst++) {
      chat.requests[0]!.give(
        ...Array.from({ length: 50 }, (_, index) => delta(`${burst * 50 + index + 1} `)),
      );
      // From time to time the page shows everything, so that it has to render along the way.
      if (burst % 20 === 19) await untilText(` ${burst * 50 + 50} `);
      else await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const after = await read();
    chat.requests[0]!.end();
    await untilStatus("ready");
    expect((await texts())[1]).toBe(Array.from({ length: 10_001 }, (_, index) => `${index} `).join(""));
    const renders = after.renders - before.renders;
    const frames = after.frames - before.frames;
    // A page that is too busy to paint is updated every 100 ms.
    expect(renders).toBeLessThanOrEqual(frames + 1 + (after.now - before.now) / 100);
    expect(renders).toBeGreaterThanOrEqual(10);
  });
});
