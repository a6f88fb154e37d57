/** Reads from the stream log, and renders again only when what was read has changed. */
import { useSyncExternalStore } from "react";
import type { StreamLog, StreamLogSnapshot } from "./stream-log.ts";

export const useStreamLog = <Value>(log: StreamLog, select: (snapshot: StreamLogSnapshot) => Value): Value =>
  useSyncExternalStore(log.subscribe, () => select(log.getSnapshot()));
