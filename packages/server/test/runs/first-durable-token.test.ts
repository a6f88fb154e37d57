import { afterEach, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { describeStores } from "../stores/run-stores.ts";

afterEach(() => void vi.useRealTimers());

const delta = (text: string) => ({ type: "text-delta" as const, delta: text });

describeStores(({ name, setUp }) => {
  test(`the first token of a run in ${name} waits for no timer, neither of a batch nor of a poll`, async () => {
    const fixture = setUp();
    const store = fixture.create();
    let isSeen!: () => void;
    const seen = new Promise<void>((resolve) => {
      isSeen = resolve;
    });
    const agent = {
      async *streamChat() {
        await new Promise((resolve) => setImmediate(resolve));
        // The first entries of a run are written at once; this one comes after them.
        yield { type: "reasoning-delta" as const, delta: "Hm" };
        yield { type: "reasoning-delta" as const, delta: "..." };
        yield delta("first");
        await seen;
        yield delta("second");
      },
    };
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
    isSeen();
    for (let read = await reader.read(); !read.done; read = await reader.read()) text += read.value;
    expect(text).toContain('"second"');
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    await store.close();
    fixture.dispose();
  });
});
