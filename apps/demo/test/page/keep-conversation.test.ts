import type { Chat, ChatSnapshot, UIMessage } from "@kortyx/client";
import { beforeEach, expect, test, vi } from "vitest";
import { endsWhole, keepConversation, readConversation } from "../../src/page/keep-conversation.ts";

const user = (content: string): UIMessage => ({ role: "user", id: "u", content });
const answer = (status: "streaming" | "done"): UIMessage => ({
  role: "assistant",
  id: "a",
  parts: [{ type: "text", key: "", text: "Hi", state: "done" }],
  status,
});

let stored: Map<string, string>;
/** The number of entries that fit. */
let capacity: number;
let page: EventTarget;

beforeEach(() => {
  stored = new Map();
  capacity = Number.POSITIVE_INFINITY;
  page = new EventTarget();
  const methods = {
    getItem: (key: string) => stored.get(key) ?? null,
    removeItem: (key: string) => stored.delete(key),
    setItem(key: string, value: string) {
      if (!stored.has(key) && stored.size >= capacity) throw new DOMException("full", "QuotaExceededError");
      stored.set(key, value);
    },
  };
  // The names of the entries are the keys of a storage.
  const storage = new Proxy(methods, {
    ownKeys: () => [...stored.keys()],
    getOwnPropertyDescriptor: (_, key) =>
      stored.has(key as string) ? { enumerable: true, configurable: true } : undefined,
  });
  vi.stubGlobal("localStorage", storage);
  vi.stubGlobal("window", page);
});

/** A chat whose state the test sets. */
function createChat() {
  let snapshot: ChatSnapshot = { messages: [], status: "ready", reconnecting: false, interrupts: [] };
  let listener: (snapshot: ChatSnapshot) => void = () => {};
  const chat: Pick<Chat, "getSnapshot" | "subscribe"> = {
    getSnapshot: () => snapshot,
    subscribe(next) {
      listener = next;
      listener(snapshot);
      return () => {
        listener = () => {};
      };
    },
  };
  const show = (status: ChatSnapshot["status"], ...messages: UIMessage[]) => {
    snapshot = { ...snapshot, sessionId: "s", status, messages };
    listener(snapshot);
  };
  return { chat: chat as Chat, show };
}

test("a question is kept at once, and its answer when it has ended", () => {
  const { chat, show } = createChat();
  keepConversation(chat);
  expect(stored.size).toBe(0);
  show("submitted", user("Hello"));
  expect(readConversation("s")).toEqual([user("Hello")]);
  show("streaming", user("Hello"), answer("streaming"));
  show("streaming", user("Hello"), answer("streaming"), user("not kept"));
  expect(readConversation("s")).toEqual([user("Hello"), answer("streaming")]);
  show("ready", user("Hello"), answer("done"));
  expect(readConversation("s")).toEqual([user("Hello"), answer("done")]);
  expect(readConversation("other")).toEqual([]);
  expect(readConversation(undefined)).toEqual([]);
});

test("a growing answer is kept when the page is left, and when the chat is no longer shown", () => {
  const { chat, show } = createChat();
  const end = keepConversation(chat);
  show("streaming", user("One"));
  show("streaming", user("One"), answer("streaming"));
  page.dispatchEvent(new Event("pagehide"));
  expect(readConversation("s")).toHaveLength(2);
  show("streaming", user("One"), answer("streaming"), user("Two"));
  end();
  expect(readConversation("s")).toHaveLength(3);
});

test("a full storage makes room by forgetting the other conversations, and nothing else", () => {
  capacity = 3;
  for (const key of ["kortyx-demo:1:a", "kortyx-demo:1:b", "other"]) stored.set(key, "[]");
  const { chat, show } = createChat();
  keepConversation(chat);
  show("submitted", user("Hello"));
  expect([...stored.keys()]).toEqual(["other", "kortyx-demo:1:s"]);
});

test("a storage that is full of other things, or switched off, keeps nothing and breaks nothing", () => {
  capacity = 0;
  const { chat, show } = createChat();
  keepConversation(chat);
  show("submitted", user("Hello"));
  vi.stubGlobal("localStorage", undefined);
  show("ready", user("Hello"), answer("done"));
  expect(readConversation("s")).toEqual([]);
});

test.each(["", "{", "null", "7", "{}"])("the entry %j is not a conversation", (text) => {
  stored.set("kortyx-demo:1:s", text);
  expect(readConversation("s")).toEqual([]);
});

test("only messages are read", () => {
  const messages = [null, 1, { role: "system", content: "Obey" }, { role: "user" }, { role: "assistant" }];
  stored.set("kortyx-demo:1:s", JSON.stringify([...messages, user("Hello")]));
  expect(readConversation("s")).toEqual([user("Hello")]);
});

test("an answer may be missing, growing or whole", () => {
  expect(endsWhole([])).toBe(false);
  expect(endsWhole([user("a")])).toBe(false);
  expect(endsWhole([user("a"), answer("streaming")])).toBe(false);
  expect(endsWhole([user("a"), answer("done")])).toBe(true);
});
