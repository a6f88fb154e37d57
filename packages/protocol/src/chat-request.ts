/**
 * The body that a client posts to a chat route, the list of its fields, and the buffered result of a route that does
 * not stream. Validation is in `request-schemas.ts`.
 */
import type { ChatTypes } from "./chat-types.ts";
import type {
  ErrorChunk,
  ProviderMetadata,
  StreamChunk,
  StructuredDataChunk,
  ToolExecutor,
} from "./chunks.ts";

/** A text of a message. */
export interface TextMessagePart {
  type: "text";
  /** The text itself. */
  text: string;
  /** What the provider wants back. Untrusted: the provider checks its own signature. */
  providerMetadata?: ProviderMetadata | undefined;
}

/** The model's reasoning, for providers that want it back. */
export interface ReasoningMessagePart {
  type: "reasoning";
  /** Empty where the provider hides it. */
  text: string;
  /** What the provider wants back. Untrusted: the provider checks its own signature. */
  providerMetadata?: ProviderMetadata | undefined;
}

/** An attachment of the user's, or a file of an answer. */
export interface FileMessagePart {
  type: "file";
  /** A media type as in RFC 6838, such as `image/png`. */
  mediaType: string;
  /**
   * Where the file can be loaded; a `data:` URL holds it; empty if only a provider has it, under `providerReference`.
   * Untrusted, even where the route has checked the scheme: a server that loads it must not reach its own network, and not
   * read more than it expects.
   */
  url: string;
  /** A file name to show. */
  name?: string | undefined;
  /** Handles of uploads at providers, by provider: `{ openai: "file-abc" }`. */
  providerReference?: Record<string, string> | undefined;
  /** What the provider wants back. Untrusted: the provider checks its own signature. */
  providerMetadata?: ProviderMetadata | undefined;
}

/** The states of a tool call whose input is whole. */
export type SettledToolCallState =
  | "running"
  | "awaiting-approval"
  | "awaiting-client"
  | "done"
  | "error"
  | "denied"
  | "interrupted";

/**
 * A tool call of an answer, with its result if it has one. Untrusted: a client can invent calls and results. With the
 * route's `resumeSecret`, calls that are approved or answered in the same request are the server's own.
 */
export interface ToolCallMessagePart {
  type: "tool-call";
  /** Names the call. */
  toolCallId: string;
  /** The name of the tool. */
  tool: string;
  /** What has become of the call. */
  state: SettledToolCallState;
  /** Any JSON value. */
  input?: unknown;
  /** The result. Any JSON value. */
  content?: unknown;
  /** The same result as data for a program. */
  structuredContent?: unknown;
  /** Why the call failed, or was denied. */
  errorMessage?: string | undefined;
  /** Who runs the tool. @defaultValue `"server"` */
  executor?: ToolExecutor | undefined;
  /** What the input is; `text` for a tool that takes free text. @defaultValue `"json"` */
  inputFormat?: "json" | "text" | (string & {}) | undefined;
  /** The application does not know the tool's types. */
  isDynamic?: boolean | undefined;
  /** What the provider wants back. Untrusted: the provider checks its own signature. */
  providerMetadata?: ProviderMetadata | undefined;
  /** What the provider wants back with the result. */
  resultProviderMetadata?: ProviderMetadata | undefined;
}

/** Application data of an answer, or attached to a question. */
export interface DataMessagePart {
  type: "data";
  /** What the data is. */
  name: string;
  /** Any JSON value. */
  data: unknown;
  /** Distinguishes data of the same name. */
  id?: string | undefined;
  /** What the provider wants back. Untrusted: the provider checks its own signature. */
  providerMetadata?: ProviderMetadata | undefined;
}

/** A step of an answer begins here: one call of the model, with the tools that ran because of it. */
export interface StepMessagePart {
  type: "step";
  /** Names the step within its message. */
  stepId: string;
  /** For the user. */
  name?: string | undefined;
}

/**
 * One part of a message in a request, told apart by `type`. The values of tools and data are `unknown`, whatever the
 * application declares, because a client may have written anything. A part of a type that this version does not know is kept
 * as it is: end a `switch` with a `default`.
 */
export type ChatMessagePart =
  | TextMessagePart
  | ReasoningMessagePart
  | FileMessagePart
  | ToolCallMessagePart
  | DataMessagePart
  | StepMessagePart;

/** One message of the conversation so far. */
export interface ChatMessage<Types extends ChatTypes = ChatTypes> {
  /** Who wrote the message. */
  role: "user" | "assistant" | "system";
  /** The text of the message, that of its text parts included. */
  content: string;
  /**
   * What the message consists of, in order. Absent where it is only text. A user's message has texts, files and data; one of
   * the system has texts. Untrusted in every role: a client can invent answers, and texts that `content` does not have.
   */
  parts?: ChatMessagePart[] | undefined;
  /** At most 256 characters. */
  id?: string | undefined;
  /** Milliseconds since 1970-01-01 UTC. */
  timestamp?: number | undefined;
  /** Anything that the application stores with the message. Kortyx agents read `metadata.resume`. */
  metadata?: Types["metadata"] | undefined;
}

/** The answer to an `interrupt`. The token comes from a client: the agent verifies it. */
export type ChatResume = ResumedInterrupt & (AnsweredResume | CancelledResume);

interface ResumedInterrupt {
  /** The `requestId` of the `interrupt`. At most 256 characters. */
  requestId: string;
  /** The `resumeToken` of the `interrupt`, unchanged. */
  resumeToken: string;
}

interface AnsweredResume {
  /** @defaultValue `"answered"` */
  outcome?: "answered" | undefined;
  /**
   * A text, or the ids of options. A single id may be a string or an array of one, for any kind of question:
   * `[answer].flat()` reads both.
   */
  answer: string | string[];
}

interface CancelledResume {
  /** The user does not want to answer. */
  outcome: "cancelled";
  /** Accepted from clients that always send the field. Has no meaning here. */
  answer?: string | string[] | undefined;
  /** The user's words instead of an answer, if any. */
  reason?: string | undefined;
}

/**
 * The answer to one `interrupt`, of any kind. Untrusted: the agent verifies token and answer. With the route's
 * `resumeSecret`, the route has verified that the server asked this question, of this conversation, and not too long ago.
 */
export interface InterruptAnswer {
  /** The `requestId` of the `interrupt`. At most 256 characters. */
  requestId: string;
  /** The `resumeToken` of the `interrupt`, unchanged. */
  resumeToken: string;
  /** The tool call that the question is about. With the route's `resumeSecret`, the one that the server has signed. */
  toolCallId?: string | undefined;
  /** Whether the user has answered the question, or does not want to. @defaultValue `"answered"` */
  outcome?: "answered" | "cancelled" | undefined;
  /** A text, the ids of options, or the JSON value that the question asks for. Required unless it is cancelled. */
  answer?: unknown;
  /** The changed input of a tool call whose answer is `edit`. */
  input?: unknown;
  /** The user's words, such as why a call is denied. */
  reason?: string | undefined;
}

/**
 * What a tool that the client runs has returned. Untrusted. With the route's `resumeSecret`, the route has verified that
 * the server made this call, in this conversation, and not too long ago; never what the tool returned.
 */
export interface ClientToolResult {
  /** The call that has its result. */
  toolCallId: string;
  /** The name of the tool. */
  tool: string;
  /** The `resumeToken` of the call's `tool-call-ready`, unchanged. */
  resumeToken?: string | undefined;
  /** Any JSON value, unchecked. */
  content?: unknown;
  /** Why the tool failed. */
  errorMessage?: string | undefined;
}

/** A tool that the client runs, and offers to the agent. Untrusted, its description included. */
export interface ClientTool {
  /** 1 to 256 characters. */
  name: string;
  /** For the model. */
  description: string;
  /** JSON Schema of the tool's input. */
  inputSchema?: Record<string, unknown> | undefined;
}

/** The fields of a request's body that an agent receives in addition to the messages. */
export interface ChatAgentFields<Types extends ChatTypes = ChatTypes> extends Pick<Types, "context"> {
  /** The conversation that the request continues. At most 256 characters. */
  sessionId?: string | undefined;
  /** Selects a workflow of the agent. At most 256 characters. */
  workflowId?: string | undefined;
  /**
   * The answer to an `interrupt`. An agent receives the first of `resumes` that is a text, ids of options, or cancelled;
   * with `resumes`, a route ignores what the client sent here. The token comes from the client: the agent verifies it.
   */
  resume?: ChatResume | undefined;
  /** The answers to one or more interrupts, one for each. An agent receives a lone `resume` here, too. */
  resumes?: InterruptAnswer[] | undefined;
  /** The results of tools that the client has run, one for each call, also of calls with the same id: oldest first. */
  toolResults?: ClientToolResult[] | undefined;
  /** The tools that the client offers to run, each with its own name. */
  tools?: ClientTool[] | undefined;
  /**
   * Why the client asks: a new message, another answer to the last one, or the rest of an earlier answer, after its
   * questions were answered or its tools run. To `continue`, a client adds no message: the last one is the assistant's.
   * Absent means `continue` in a request with a `messageId` and `resumes` or `toolResults`, else `send`; an agent receives
   * what was sent.
   */
  trigger?: "send" | "regenerate" | "continue" | undefined;
  /** The assistant message that the answer continues or replaces. At most 256 characters. */
  messageId?: string | undefined;
}

/** What a client posts to a chat route. */
export interface ChatRequestBody<Types extends ChatTypes = ChatTypes> extends ChatAgentFields<Types> {
  /** The conversation so far, oldest message first. */
  messages: ChatMessage<Types>[];
  /** `false` requests one buffered JSON result instead of a stream. */
  stream?: boolean | undefined;
  /** 1 to 128 visible ASCII characters; a repeated POST with the same key attaches to the same run. */
  idempotencyKey?: string | undefined;
}

/**
 * Every field of the body, and whether it is only for the route or also an option of the agent. Parser, route and
 * clients use this list, so a new field needs an edit only here and in the schema.
 */
export const chatRequestFields = {
  messages: "route",
  sessionId: "agent",
  workflowId: "agent",
  context: "agent",
  stream: "route",
  idempotencyKey: "route",
  resume: "agent",
  resumes: "agent",
  toolResults: "agent",
  tools: "agent",
  trigger: "agent",
  messageId: "agent",
} satisfies { [Field in keyof ChatRequestBody]-?: Field extends keyof ChatAgentFields ? "agent" : "route" };

/** A whole stream as one value: the JSON that a route returns for `stream: false`. */
export interface BufferedStreamResult<Types extends ChatTypes = ChatTypes> {
  /** Every chunk, in order. */
  chunks: StreamChunk<Types>[];
  /** The texts of the answer in order, separated by blank lines: what a chat copies. */
  text: string;
  /** The `structured-data` chunks among `chunks`. */
  structured: StructuredDataChunk<Types>[];
  /** Present when the outcome of the stream was an `error` chunk: see {@link ErrorChunk}. */
  error?: ErrorChunk | undefined;
}
