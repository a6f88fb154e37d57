/**
 * The options for the runs of a chat route, and the reports on each run. Types only.
 */
import type { ChatMessage, ChatTypes } from "@kortyx/protocol";
import type { RequestPurpose } from "../route/chat-route.ts";
import type { RunStore } from "../stores/run-store.ts";
import type { RunLimits, RunResult } from "./run-writer.ts";

/** What a chat route does with its runs. */
export interface ChatRunOptions<Types extends ChatTypes = ChatTypes> extends RunLimits {
  /** Where runs are kept: `createMemoryRunStore()`, or one of `@kortyx/server/sqlite` and `@kortyx/server/redis`. */
  store: RunStore;
  /**
   * What happens to a new run in a session that already has an open one: it is rejected, replaces it, or runs in
   * parallel. Runs without owners belong to no session, and always run in parallel.
   *
   * @defaultValue `"reject"`
   */
  onActiveRun?: "reject" | "stop" | "allow" | undefined;
  /** What happens to a run when its last follower in this process leaves. @defaultValue `"continue"` */
  onDisconnect?: "continue" | "cancel" | undefined;
  /** The maximum number of open runs of one owner; runs without owners have no limit. @defaultValue 8 */
  maxOpenRuns?: number | undefined;
  /** Keeps a function alive on platforms that freeze it after the response. */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  /**
   * Called, and awaited, before the agent is called. An error that it throws ends the run with an `error` chunk; a
   * `Response` that it throws within a second is the response to the request.
   */
  onStart?: ((start: RunStart<Types>) => unknown) | undefined;
  /**
   * Called, and awaited, when a run has ended, in the process that wrote it; not for a run that was stopped before it
   * began. An error that it throws is logged.
   */
  onFinish?: ((finish: RunFinish<Types>) => unknown) | undefined;
}

/** How a run has begun. */
export interface RunStart<Types extends ChatTypes = ChatTypes> extends RequestPurpose {
  /** The id of the run, and of the message that it produces, unless it continues another. */
  runId: string;
  /** What `authorize` returned; `""` if it is `"anonymous"`. */
  owner: string;
  /** The `sessionId` of the request. */
  sessionId: string | undefined;
  /** The user message that began it: the latest one. Absent if the run continues an earlier answer. */
  input: ChatMessage<Types> | undefined;
  /** The conversation, as the request has it. */
  messages: ChatMessage<Types>[];
}

/** How a run began and how it ended. */
export interface RunFinish<Types extends ChatTypes = ChatTypes> extends RunStart<Types>, RunResult<Types> {}
