/** What the buttons of a chat do: the chat's own methods, with the keyboard's place and failures looked after. */
import { type Chat, isStreamError } from "@kortyx/client";
import { type RefObject, useMemo, useState } from "react";
import { describeError } from "./describe-error.ts";

export interface ChatActions {
  /** The same functions for as long as the chat is. */
  send: (...values: Parameters<Chat["send"]>) => void;
  respond: (...values: Parameters<Chat["respond"]>) => void;
  /** Another answer; where the last one was cut off, the rest of it, if the server still has it. */
  retry: () => void;
  stop: () => void;
  /** Why the last one could not be done. */
  refusal: string | undefined;
}

/** @param input - Where a keyboard goes on when the button that was pressed is gone. */
export function useChatActions(chat: Chat, input: RefObject<HTMLElement | null>): ChatActions {
  const [refusal, setRefusal] = useState<string>();
  const actions = useMemo(() => {
    const act =
      <Values extends unknown[]>(method: (...values: Values) => Promise<void>) =>
      (...values: Values): void => {
        setRefusal(undefined);
        method(...values).catch((error) => setRefusal(describeError(error).title));
        // On a phone, the keyboard would cover the answer.
        if (matchMedia("(pointer: fine)").matches) input.current?.focus({ preventScroll: true });
      };
    return {
      send: act(chat.send),
      respond: act(chat.respond),
      retry: act(() => retry(chat)),
      stop: act(() => stop(chat)),
    };
  }, [chat, input]);
  return { ...actions, refusal };
}

async function retry(chat: Chat): Promise<void> {
  const before = chat.getSnapshot();
  const last = before.messages.at(-1);
  if (last?.role === "assistant" && last.status === "truncated") {
    await chat.resume();
    // It went on, or the server cannot be reached.
    if (chat.getSnapshot() !== before) return;
  }
  await chat.regenerate();
}

async function stop(chat: Chat): Promise<void> {
  try {
    await chat.stop();
  } catch (error) {
    // Whoever is offline can stop waiting all the same, although the server goes on.
    if (isStreamError(error) && error.code === "connection") chat.close();
    throw error;
  }
}
