/**
 * The state of a conversation as a React hook. Everything that happens is `createChat`'s.
 */
import { useEffect, useInsertionEffect, useState, useSyncExternalStore } from "react";
import type { Chat, ChatOptions, ChatSnapshot } from "./chat.ts";
import { createChat } from "./create-chat.ts";

export type UseChatOptions = ChatOptions & {
  /** Follows the newest run of the session when the component appears. @defaultValue false */
  resumeOnMount?: boolean | undefined;
};

export interface UseChatResult
  extends ChatSnapshot,
    Pick<Chat, "send" | "respond" | "regenerate" | "resume" | "stop" | "close" | "clear"> {
  /** The chat itself, to be used by other components too: `useChat(chat)`. */
  chat: Chat;
}

interface Shown {
  /** What makes it another chat. */
  key: Chat | string | undefined;
  chat: Chat;
  /** Of a chat of the component's own: asked for whenever one is needed, so that none is that of an earlier render. */
  latest?: { options: ChatOptions };
}

/**
 * Shows a conversation.
 *
 * With options, the component has a chat of its own: another `sessionId` is another chat, all other options may change
 * at any time, and the answer is left when the component disappears. With a chat, it is shared: nothing ends with the
 * component.
 *
 * @example
 * ```tsx
 * const { messages, status, send, stop } = useChat({ endpoint: "/api/chat" });
 * ```
 */
export function useChat(source: UseChatOptions | Chat): UseChatResult {
  const isShared = "getSnapshot" in source;
  const key = isShared ? source : source.sessionId;
  const create = (): Shown => {
    if (isShared) return { key, chat: source };
    const latest: { options: ChatOptions } = { options: source };
    return { key, chat: createChat(() => latest.options), latest };
  };
  const [state, setState] = useState(create);
  let shown = state;
  if (shown.key !== key) {
    shown = create();
    setState(shown);
  }
  const { chat, latest } = shown;
  // Before the effects of children, which may ask already.
  useInsertionEffect(() => {
    if (latest !== undefined && !isShared) latest.options = source;
  });

  const resumeOnMount = !isShared && source.resumeOnMount === true;
  useEffect(() => {
    if (!isShared) return () => chat.close();
  }, [chat, isShared]);
  useEffect(() => {
    if (resumeOnMount) void chat.resume();
  }, [chat, resumeOnMount]);

  const snapshot = useSyncExternalStore(chat.subscribe, chat.getSnapshot, chat.getSnapshot);
  const { send, respond, regenerate, resume, stop, close, clear } = chat;
  return { ...snapshot, send, respond, regenerate, resume, stop, close, clear, chat };
}
