import { createElement, type ReactNode, StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createChat } from "../src/chat/create-chat.ts";
import { toMessageText, type UIMessage } from "../src/chat/messages.ts";
import { type UseChatOptions, type UseChatResult, useChat } from "../src/react.ts";
import { delta, done, flush, nextFrame, streamOf, testTransport } from "./chat/chat-harness.ts";

// These tests render on a server; the tests in `apps/e2e` show what happens in a browser.

let consoleError: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  vi.useFakeTimers();
  consoleError = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  expect(consoleError).not.toHaveBeenCalled();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const initialMessages: UIMessage[] = [
  { role: "user", id: "u1", content: "Hello" },
  {
    role: "assistant",
    id: "a1",
    status: "done",
    parts: [{ type: "text", key: "", text: "Hi", state: "done" }],
  },
];

type Source = Parameters<typeof useChat>[0];

function Page({ source, results }: { source: Source; results: UseChatResult[] }): ReactNode {
  const result = useChat(source);
  results.push(result);
  const texts = result.messages.map((message) =>
    createElement("p", { key: message.id }, toMessageText(message)),
  );
  return createElement("main", { "data-status": result.status }, texts);
}

/** Renders on a server. @returns the HTML, and the value of the hook at each render. */
function render(source: Source): { html: string; results: UseChatResult[] } {
  const results: UseChatResult[] = [];
  const page = createElement(Page, { source, results });
  return { html: renderToString(createElement(StrictMode, null, page)), results };
}

test("a server renders the initial messages and makes no request", async () => {
  const transport = testTransport();
  const options: UseChatOptions = { transport, initialMessages, sessionId: "session-1", resumeOnMount: true };
  const { html, results } = render(options);
  expect(html).toBe('<main data-status="ready"><p>Hello</p><p>Hi</p></main>');
  expect(results[0]).toMatchObject({
    messages: initialMessages,
    status: "ready",
    reconnecting: false,
    sessionId: "session-1",
  });
  await nextFrame();
  expect(transport.streams).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a server renders the current state of a shared chat", async () => {
  const transport = testTransport();
  const chat = createChat({ transport, initialMessages });
  void chat.send("More");
  streamOf(transport).give(delta("Half an"));
  await flush();
  streamOf(transport).give(delta(" answer"));
  await nextFrame();
  const { html, results } = render(chat);
  expect(html).toBe(
    '<main data-status="streaming"><p>Hello</p><p>Hi</p><p>More</p><p>Half an answer</p></main>',
  );
  expect(results[0]?.chat).toBe(chat);
  streamOf(transport).give(done);
  streamOf(transport).end();
  await flush();
  expect(render(chat).html).toContain('data-status="ready"');
});

test("the hook returns the state, the chat and its actions", () => {
  const chat = createChat({ transport: testTransport(), sessionId: "session-1" });
  const { results } = render(chat);
  const { getSnapshot, subscribe: _, ...methods } = chat;
  expect(results[0]).toEqual({ ...getSnapshot(), chat, ...methods });
});

test("on a server, each render has its own chat, and all have the same state", () => {
  const options: UseChatOptions = { transport: testTransport() };
  const [one, two] = [render(options), render(options)].map(({ results }) => results.at(-1)!);
  expect(one?.chat).not.toBe(two?.chat);
  expect(one?.chat.getSnapshot()).toEqual(two?.chat.getSnapshot());
  expect(one?.sessionId).toBeUndefined();
});
