/**
 * The state of a conversation as a React hook. Everything that happens is `createChat`'s.
 */
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type Chat, type ChatOptions, type ChatSnapshot, createChat } from "./create-chat.ts";

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
  const options = isShared ? undefined : source;
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });

  const key = isShared ? source : source.sessionId;
  const create = () => {
    if (isShared) return { key, chat: source };
    // Asked for whenever one is needed, so that an option is never that of an earlier render.
    let initial: ChatOptions | undefined = source;
    const chat = createChat(() => initial ?? latest.current!);
    initial = undefined;
    return { key, chat };
  };
  const [shown, setShown] = useState(create);
  let { chat } = shown;
  if (shown.key !== key) {
    const next = create();
    setShown(next);
    chat = next.chat;
  }

  const resumeOnMount = options?.resumeOnMount === true;
  useEffect(() => {
    if (isShared) return undefined;
    if (resumeOnMount) void chat.resume();
    return () => chat.close();
  }, [chat, isShared, resumeOnMount]);

  const snapshot = useSyncExternalStore(chat.subscribe, chat.getSnapshot, chat.getSnapshot);
  const { send, respond, regenerate, resume, stop, close, clear } = chat;
  return { ...snapshot, send, respond, regenerate, resume, stop, close, clear, chat };
}
