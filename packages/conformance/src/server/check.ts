/** What a check of a server is, and how it ends. Makes no request. */
import type { StreamChunk, UnknownChunk } from "@kortyx/protocol";
import type { Target } from "./target.ts";

/** What only some servers have: stored answers, their sessions, and parts of messages. */
export type Capability = "runs" | "sessions" | "parts";

export interface Check {
  /** A sentence: what holds. */
  name: string;
  /** The section of docs/protocol.md that requires it. */
  section: string;
  /** The section only recommends it. */
  isAdvice?: true;
  needs?: Capability;
  lacks?: Capability;
  /** Mostly waits, so that the others run in the meantime. */
  isSlow?: true;
  /** @throws CheckFailure if it does not hold; NotTried if that cannot be found out. */
  run(target: Target): Promise<void>;
}

/** One chunk of a stream, and its event id. */
export interface Entry {
  id: string;
  chunk: StreamChunk | UnknownChunk;
}
