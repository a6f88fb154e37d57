/** The input of an AG-UI agent. Types only. */

/** A message of the input. */
export interface AGUIInputMessage {
  /** Unique in the conversation. */
  id: string;
  /** Who wrote it. */
  role: "user" | "assistant" | "system" | "tool" | "reasoning";
  [field: string]: unknown;
}

/** A tool that the client runs. */
export interface AGUIInputTool {
  /** The name of the tool. */
  name: string;
  /** For the model. */
  description: string;
  /** JSON Schema of the tool's input. */
  parameters?: Record<string, unknown>;
}

/** Something that the agent should know. */
export interface AGUIInputContext {
  /** What it is. */
  description: string;
  /** The thing itself, as text. */
  value: string;
}

/** The answer to one question. */
export interface AGUIInputAnswer {
  /** The `id` of the interrupt. */
  interruptId: string;
  /** Whether the user has answered. */
  status: "resolved" | "cancelled";
  /** The answer: any JSON value. */
  payload?: unknown;
}

/** The input of a run, as `agent.run` takes it. */
export interface AGUIInput {
  /** The conversation. */
  threadId: string;
  /** The run. */
  runId: string;
  /** The conversation so far. */
  messages: AGUIInputMessage[];
  /** The tools that the client runs. */
  tools: AGUIInputTool[];
  /** What the agent should know. */
  context: AGUIInputContext[];
  /** The state of the client. */
  state: unknown;
  /** Anything else. */
  forwardedProps: unknown;
  /** The answers to the questions of the run before. */
  resume?: AGUIInputAnswer[];
}
