/**
 * The conversation of the page: asks the route, folds the stream into turns, stops it and tries again. Owns the request
 * and the animation frame that are under way; renders nothing.
 */
import {
  consumeStream,
  createMessageAccumulator,
  StreamRemoteError,
  streamChatFromRoute,
} from "@kortyx/client";
import { useEffect, useRef, useState } from "react";
import { type AssistantTurn, describeError, type Turn, toMessages } from "./conversation.ts";

export interface Conversation {
  turns: readonly Turn[];
  isStreaming: boolean;
  /** Asks a question. */
  send(text: string): void;
  /** Ends the answer that is being streamed; what has arrived is kept. */
  stop(): void;
  /** Asks the last question again, in place of its answer. */
  retry(): void;
}

export function useConversation(endpoint: string): Conversation {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const sessionId = useRef<string>(undefined);
  const request = useRef<AbortController>(undefined);
  useEffect(() => () => request.current?.abort(), []);

  const last = turns.at(-1);
  const isStreaming = last?.role === "assistant" && last.status === "streaming";

  async function answer(history: readonly Turn[]): Promise<void> {
    const abort = new AbortController();
    const { signal } = abort;
    request.current = abort;
    const accumulator = createMessageAccumulator();
    const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
    let activity: string | undefined;
    let frame = 0;

    function show(status: AssistantTurn["status"], ending?: Pick<AssistantTurn, "note" | "error">): void {
      cancelAnimationFrame(frame);
      frame = 0;
      const { message } = accumulator;
      setTurns([...history, { role: "assistant", id, message, status, activity, ...ending }]);
    }

    show("streaming");
    try {
      const messages = toMessages(history);
      const stream = streamChatFromRoute({ endpoint, messages, sessionId: sessionId.current, signal });
      const { chunk } = await consumeStream(stream, {
        onChunk(chunk) {
          accumulator.apply(chunk);
          if (chunk.type === "session") sessionId.current = chunk.sessionId;
          if (chunk.type === "status") activity = chunk.message;
          // Chunks arrive faster than a screen can show them.
          if (frame === 0) frame = requestAnimationFrame(() => show("streaming"));
        },
      });
      accumulator.finish();
      if (chunk?.type === "error") show("error", { error: describeError(new StreamRemoteError(chunk)) });
      else if (chunk?.type === "abort") show("stopped", { note: `Stopped by the server (${chunk.reason})` });
      else show("done");
    } catch (error) {
      accumulator.finish(signal.aborted ? "aborted" : "truncated");
      if (signal.aborted) show("stopped", { note: "Stopped" });
      else show("error", { error: describeError(error) });
    }
  }

  return {
    turns,
    isStreaming,
    send(text) {
      const question = text.trim();
      if (question === "" || isStreaming) return;
      void answer([...turns, { role: "user", id: `question-${turns.length}`, text: question }]);
    },
    stop() {
      request.current?.abort();
    },
    retry() {
      if (last?.role === "assistant" && !isStreaming) void answer(turns.slice(0, -1));
    },
  };
}
