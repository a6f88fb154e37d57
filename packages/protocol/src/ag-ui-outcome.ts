/** How a run of AG-UI ends: its outcome, its questions and its cost. Types only. */

/** A question that the run waits for. The next request answers it in its `resume`. */
export interface AGUIInterrupt {
  /** Names the question. */
  id: string;
  /** For programs. */
  reason: string;
  /** The question, in words for the user. */
  message?: string | undefined;
  /** The tool call that the question is about. */
  toolCallId?: string | undefined;
  /** JSON Schema of the answer. */
  responseSchema?: Record<string, unknown> | undefined;
  /** No answer is accepted later: an ISO 8601 date. */
  expiresAt?: string | undefined;
  /** Anything else. */
  metadata?: Record<string, unknown> | undefined;
  /** The invocation of a subagent that asks. */
  subagentRunId?: string | undefined;
}

/** The run has ended in order. */
export interface AGUISuccessOutcome {
  type: "success";
  /** The calls that wait for the client. */
  pendingToolCallIds?: string[] | undefined;
}

/** The run waits for answers. */
export interface AGUIInterruptOutcome {
  type: "interrupt";
  /** At least one. */
  interrupts: AGUIInterrupt[];
}

/** The run was stopped. */
export interface AGUICancelledOutcome {
  type: "cancelled";
}

/** How a run ended. */
export type AGUIRunOutcome = AGUISuccessOutcome | AGUIInterruptOutcome | AGUICancelledOutcome;

/** A subagent waits for answers. */
export interface AGUISuspendedOutcome {
  type: "suspended";
  /** The questions that it waits for. */
  interruptIds?: string[] | undefined;
}

/** How a subagent ended. */
export type AGUISubagentOutcome = AGUISuspendedOutcome | { type: "success" };

/** The tokens of one model. */
export interface AGUITokenUsage {
  /** The provider of the model. */
  provider?: string | undefined;
  /** The name of the model. */
  model?: string | undefined;
  /** Tokens of the prompt, those of a cache included. */
  inputTokens?: number | undefined;
  /** Tokens of the answer, reasoning included. */
  outputTokens?: number | undefined;
  /** All tokens. */
  totalTokens?: number | undefined;
  /** Of the output tokens, those of reasoning. */
  reasoningTokens?: number | undefined;
  /** Of the input tokens, those read from a cache. */
  cachedInputTokens?: number | undefined;
  /** Of the input tokens, those written to a cache. */
  cacheWriteInputTokens?: number | undefined;
}
