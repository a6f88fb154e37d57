/**
 * What the page knows of a conversation: its turns, and what they mean to the route. Knows neither React nor streams.
 */
import {
  type AssistantMessage,
  type ChatMessage,
  StreamConnectionError,
  StreamHttpError,
  StreamRemoteError,
  StreamTruncatedError,
} from "@kortyx/client";

/** Something that the user asked. */
interface UserTurn {
  role: "user";
  id: string;
  text: string;
}

/** An answer, as far as it has come. A new object whenever something changes, so that finished turns render once. */
export interface AssistantTurn {
  role: "assistant";
  id: string;
  message: AssistantMessage;
  status: "streaming" | "done" | "stopped" | "error";
  /** What the agent says it is doing. */
  activity?: string | undefined;
  /** Why the answer ends where it ends, when it is not whole. */
  note?: string | undefined;
  error?: TurnError | undefined;
}

export interface TurnError {
  title: string;
  detail: string;
}

export type Turn = UserTurn | AssistantTurn;

/** The text of an answer, without tool calls and sources. */
const textOf = (message: AssistantMessage): string =>
  message.parts.flatMap((part) => (part.type === "text" ? part.text : [])).join("\n\n");

/** The conversation in the form that the route takes. Answers without text are left out. */
export function toMessages(turns: readonly Turn[]): ChatMessage[] {
  return turns
    .map(
      (turn): ChatMessage =>
        turn.role === "user"
          ? { role: "user", content: turn.text }
          : { role: "assistant", content: textOf(turn.message) },
    )
    .filter((message) => message.content !== "");
}

/** What to tell the user about a failed answer. */
export function describeError(error: unknown): TurnError {
  if (error instanceof StreamTruncatedError)
    return {
      title: "The answer was cut off",
      detail: "The connection broke before the answer was complete. What arrived is kept above.",
    };
  if (error instanceof StreamConnectionError)
    return { title: "The server could not be reached", detail: "Is the demo still running?" };
  if (error instanceof StreamHttpError)
    return { title: "The server did not take the question", detail: error.message };
  if (error instanceof StreamRemoteError) {
    const { correlationId } = error.chunk;
    const reference = correlationId === undefined ? "" : ` Reference: ${correlationId}`;
    return { title: "The answer failed", detail: `${error.message}${reference}` };
  }
  return {
    title: "The answer could not be read",
    detail: error instanceof Error ? error.message : String(error),
  };
}
