/**
 * What an application decides about the runs of a chat route, and what it learns of each. Types only.
 */
import type { ChatMessage } from "@kortyx/protocol";
import type { RunStore } from "../stores/run-store.ts";
import type { RunLimits, RunResult } from "./run-writer.ts";

/** What a chat route does with its runs. */
export interface ChatRunOptions extends RunLimits {
  /** Where runs are kept: `createMemoryRunStore()`, or one of `@kortyx/server/sqlite` and `@kortyx/server/redis`. */
  store: RunStore;
  /** What happens to a new run in a session that has an open one: refused, or in place of it, or beside it. @defaultValue `"reject"` */
  onActiveRun?: "reject" | "stop" | "allow" | undefined;
  /** What happens to a run when the last of those who follow it in this process leaves. @defaultValue `"continue"` */
  onDisconnect?: "continue" | "cancel" | undefined;
  /** How many runs of one owner may be open; runs without owners have no limit. @defaultValue 8 */
  maxOpenRuns?: number | undefined;
  /** Keeps a platform awake that freezes its functions once they have answered. */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  /**
   * Called, and waited for, before the agent is. What it throws ends the run with an `error` chunk; a `Response` that it
   * throws within a second is the response to the request.
   */
  onStart?: ((start: RunStart) => unknown) | undefined;
  /** Called, and waited for, when a run has ended. What it throws is logged. */
  onFinish?: ((finish: RunFinish) => unknown) | undefined;
}

/** How a run has begun. */
export interface RunStart {
  runId: string;
  /** What `authorize` returned; `""` where it is `"anonymous"`. */
  owner: string;
  /** Of the request. */
  sessionId: string | undefined;
  /** What the user said to begin it: the newest of their messages. */
  input: ChatMessage | undefined;
  /** The conversation that the agent was given. */
  messages: ChatMessage[];
}

/** How a run began, and how it has ended. */
export interface RunFinish extends RunStart, RunResult {}
