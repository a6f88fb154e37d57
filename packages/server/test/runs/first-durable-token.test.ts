import { afterEach, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";
import { describeStores } from "../stores/run-stores.ts";

afterEach(() => void vi.useRealTimers());

const delta = (text: string) => ({ type: "text-delta" as const, delta: text });

describeStores(({ name, setUp }) => {
  test(`the first token of a run in ${name} waits for no timer, neither of a batch nor of a poll`, async () => {
    const fixture = setUp();
    const store = fixture.create();
    const seen = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    const agent = createScriptedAgent([
      opened.promise,
      // The first entries of a run are written at once; this one comes after them.
      { type: "reasoning-delta", delta: "Hm" },
      { type: "reasoning-delta", delta: "..." },
      delta("first"),
      seen.promise,
      delta("second"),
    ]);
    setImmediate(opened.resolve);
    const { POST } = createChatRoute({ agent, runs: { store }, authorize: () => "owner" });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    const response = await POST(
      new Request("http://host/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }] }),
      }),
    );
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes('"first"')) text += (await reader.read()).value;
    vi.useRealTimers();
    seen.resolve();
    for (let read = await reader.read(); !read.done; read = await reader.read()) text += read.value;
    expect(text).toContain('"second"');
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    await store.close();
    fixture.dispose();
  });
});
