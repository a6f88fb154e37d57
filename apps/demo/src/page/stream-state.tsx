/** How the connection stands, in a word. */
import type { StreamLog, StreamLogState } from "./stream-log.ts";
import { useStreamLog } from "./use-stream-log.ts";

const names: Record<StreamLogState, string> = {
  idle: "Idle",
  connecting: "Connecting",
  streaming: "Streaming",
  reconnecting: "Reconnecting",
  stopping: "Stopping",
  stopped: "Stopped",
  failed: "Failed",
};

export function StreamState({ log }: { log: StreamLog }) {
  const state = useStreamLog(log, (snapshot) => snapshot.state);
  const attempt = useStreamLog(log, (snapshot) => snapshot.attempt);
  return (
    <span className="stream-state" data-testid="stream-state" data-state={state}>
      {names[state]}
      {state === "reconnecting" && `, attempt ${attempt}`}
    </span>
  );
}
