/** The actions of the page's buttons: those of the chat, with a place for the keyboard after each. */
import { type Chat, type InterruptResponse, isStreamError } from "@kortyx/client";
import type { RefObject } from "react";

export type ChatActions = ReturnType<typeof createChatActions>;

/**
 * @param input - Takes the focus, because the pressed button may be gone.
 * @param onRefusal - Receives the error of an action that was refused, and `undefined` when the next one begins.
 */
export function createChatActions(
  chat: Chat,
  input: RefObject<HTMLElement | null>,
  onRefusal: (error: unknown) => void,
) {
  const act =
    <Values extends unknown[]>(action: (...values: Values) => Promise<void>) =>
    (...values: Values): void => {
      onRefusal(undefined);
      action(...values).catch(onRefusal);
      // On a phone, the keyboard would cover the answer.
      const hasKeyboard = matchMedia("(pointer: fine)").matches;
      const place = hasKeyboard ? input.current : document.querySelector<HTMLElement>(".log");
      place?.focus({ preventScroll: true });
    };
  return {
    send: act(chat.send),
    /** Answers the questions that are open together. */
    respond: act((responses: readonly InterruptResponse[]) => respond(chat, responses)),
    approve: act(chat.approve),
    edit: act(chat.edit),
    deny: act(chat.deny),
    /** Runs the tools of this page that an earlier visit has left waiting. */
    runTools: act(chat.runTools),
    /** Requests the rest of an answer that was cut off, if the server still has it, and another answer otherwise. */
    retry: act(() => retry(chat)),
    stop: act(() => stop(chat)),
  };
}

/** The answer to a single question is a message of the user's, too. */
function respond(chat: Chat, responses: readonly InterruptResponse[]): Promise<void> {
  const [first] = responses;
  return responses.length === 1 ? chat.respond(first!.interrupt, first!.answer) : chat.respond(responses);
}

async function retry(chat: Chat): Promise<void> {
  const before = chat.getSnapshot();
  const last = before.messages.at(-1);
  if (last?.role === "assistant" && last.status === "truncated") {
    await chat.resume();
    // The answer continued, or the server cannot be reached.
    if (chat.getSnapshot() !== before) return;
  }
  await chat.regenerate();
}

async function stop(chat: Chat): Promise<void> {
  try {
    await chat.stop();
  } catch (error) {
    // Offline, a user can stop waiting all the same; the server continues.
    if (isStreamError(error) && error.code === "connection") chat.close();
    throw error;
  }
}
