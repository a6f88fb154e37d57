/** The line below the box: what is going on, or how the last answer ended. */
import type { ChatStatus, ChatTiming, UIMessage } from "@kortyx/client";
import type { StreamLog } from "./stream-log.ts";
import { useStreamLog } from "./use-stream-log.ts";

export interface ChatStatusLineProps {
  status: ChatStatus | "reconnecting";
  timing: ChatTiming | undefined;
  last: UIMessage | undefined;
  log: StreamLog;
  refusal: string | undefined;
}

export function ChatStatusLine({ status, timing, last, log, refusal }: ChatStatusLineProps) {
  const activity = useStreamLog(log, (snapshot) => snapshot.activity);
  const answer = last?.role === "assistant" ? last : undefined;
  const isWriting = answer?.parts.some((part) => part.type === "text") === true;
  return <p className="status-line">{refusal ?? describe()}</p>;

  function describe(): string {
    switch (status) {
      case "submitted":
        return "Asking…";
      case "streaming":
        return isWriting ? "Answering…" : `${activity ?? "Working"}…`;
      case "reconnecting":
        return "The connection is lost, trying again…";
      case "stopping":
        return "Stopping…";
      case "error":
        return "Failed";
      case "ready":
        return describeEnd();
    }
  }

  function describeEnd(): string {
    if (answer === undefined || timing?.durationMs === undefined) return "Ready";
    if (answer.status === "aborted") return "Stopped";
    if (answer.interrupt !== undefined) return "Waiting for your answer";
    const tokens = answer.usage?.outputTokens;
    const seconds = `${(timing.durationMs / 1000).toFixed(1)} s`;
    return tokens === undefined ? `Answered in ${seconds}` : `Answered in ${seconds}, ${tokens} tokens`;
  }
}
