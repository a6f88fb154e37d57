/**
 * The tool calls and approvals of an AI SDK stream, as chunks, and which of them wait at its end. Knows no other parts.
 */
import type { ChatAgentFields, InterruptAnswer, StreamChunk } from "@kortyx/protocol";
import type { AISDKCallPart, AISDKToolCall, PartOf } from "./ai-sdk-parts.ts";
import type { ModelToolCall } from "./model-stream.ts";

/** What belongs to tool calls in the options of `fromAISDK`. */
export interface AISDKCallOptions extends Pick<ChatAgentFields, "resumes" | "toolResults"> {
  /**
   * Chooses the text that stands for a failed call, for the user and, in later requests, for the model. It is sent as it is:
   * put no secrets in it. `undefined` chooses the default. Not called for a tool that the provider runs: what that reports
   * is sent.
   *
   * @defaultValue a text without the error; that of a tool which has run is logged with `console.error`
   */
  onToolError?: ((error: unknown, call: ModelToolCall) => string | undefined) | undefined;
}

/** Under this name, `providerMetadata` holds what only the AI SDK knows of a call. */
export const aiSDK = "ai-sdk";

/** What the user has decided about a call: only an explicit approval lets it run. */
export const isApproved = ({ outcome, answer }: InterruptAnswer): boolean =>
  outcome !== "cancelled" &&
  (Array.isArray(answer) ? answer.length === 1 && answer[0] : answer) === "approve";

/** What has become of the questions and calls that a request answers: the SDK's own stream does not repeat it. */
export function* answeredBefore({
  resumes = [],
  toolResults = [],
}: AISDKCallOptions): Generator<StreamChunk> {
  for (const resume of resumes) {
    const { requestId, outcome = "answered", reason } = resume;
    const answer = isApproved(resume) ? "approve" : "deny";
    yield {
      type: "interrupt-resolved",
      requestId,
      outcome,
      ...(outcome === "answered" && { answer }),
      ...pickDefined({ reason }),
    };
  }
  for (const { toolCallId, tool, content, errorMessage: message } of toolResults) {
    if (message === undefined) yield { type: "tool-call-result", tool, toolCallId, content: content ?? null };
    else yield { type: "tool-call-error", tool, toolCallId, message };
  }
}

export class AISDKCalls {
  readonly #options: AISDKCallOptions;
  readonly #started = new Set<string>();
  /** Without a result, an error or a denial so far. */
  readonly #open = new Map<string, ModelToolCall>();
  /** The invalid calls, whose error the SDK reports a second time. */
  readonly #invalid = new Set<string>();
  /** The calls with an open question, by the question. */
  readonly #asked = new Map<string, string>();
  readonly #automatic = new Set<string>();
  /** Why calls are denied. */
  readonly #reasons = new Map<string, string | undefined>();

  constructor(options: AISDKCallOptions) {
    this.#options = options;
    for (const { toolCallId, reason } of options.resumes ?? []) {
      if (toolCallId !== undefined) this.#reasons.set(toolCallId, reason);
    }
  }

  /** A question to the user is open. */
  get isAsking(): boolean {
    return this.#asked.size > 0;
  }

  /** The calls that wait for the client. */
  get waiting(): ModelToolCall[] {
    const asked = new Set(this.#asked.values());
    return [...this.#open.values()].filter(({ toolCallId }) => !asked.has(toolCallId));
  }

  /** @returns undefined for a part of an unknown type. */
  translate(part: AISDKCallPart): StreamChunk[] | undefined {
    switch (part.type) {
      case "tool-input-start":
        return [this.#start({ ...part, toolCallId: part.id }, part.inputEncoding)];
      case "tool-input-delta":
        return [{ type: "tool-call-delta", toolCallId: part.id, delta: part.delta }];
      case "tool-call":
        return this.#call(part);
      case "tool-result":
        return [this.#result(part)];
      case "tool-error":
        return this.#fail(part);
      case "tool-output-denied":
        return [this.#deny(part)];
      case "tool-approval-request":
        return [this.#ask(part)];
      case "tool-approval-response":
        return [this.#resolve(part)];
      default:
        part satisfies never;
        return undefined;
    }
  }

  #start(call: AISDKToolCall, inputEncoding?: string | undefined): StreamChunk {
    this.#started.add(call.toolCallId);
    return {
      type: "tool-call-start",
      ...describe(call),
      ...(inputEncoding === "text" && { inputFormat: "text" }),
    };
  }

  #call(part: PartOf<"tool-call">): StreamChunk[] {
    const { toolCallId, toolName: tool, input, error } = part;
    if (part.invalid === true) {
      this.#invalid.add(toolCallId);
      const start = this.#started.has(toolCallId) ? [] : [this.#start(part)];
      const isUnknown = Object(error).name === "AI_NoSuchToolError";
      const message =
        this.#chosenText(error, { toolCallId, tool, input }) ??
        (isUnknown ? "The model called an unknown tool." : "The model wrote an input that the tool refuses.");
      const code = isUnknown ? "unknown-tool" : "invalid-input";
      const written = input === undefined ? {} : { input };
      return [...start, { type: "tool-call-error", tool, toolCallId, message, code, ...written }];
    }
    if (part.providerExecuted !== true)
      this.#open.set(toolCallId, { toolCallId, tool, input: input ?? null });
    return [{ type: "tool-call-ready", ...describe(part), input: input ?? null }];
  }

  #result(part: PartOf<"tool-result">): StreamChunk {
    const { toolCallId, toolName: tool, output, preliminary, providerMetadata } = part;
    const content = output ?? null;
    if (preliminary === true) return { type: "tool-call-progress", tool, toolCallId, content };
    this.#open.delete(toolCallId);
    return {
      type: "tool-call-result",
      tool,
      toolCallId,
      content,
      ...(providerMetadata && { providerMetadata }),
    };
  }

  #fail(part: PartOf<"tool-error">): StreamChunk[] {
    const { toolCallId, toolName: tool, input, error, providerMetadata } = part;
    this.#open.delete(toolCallId);
    if (this.#invalid.delete(toolCallId)) return [];
    const message =
      part.providerExecuted === true
        ? // What the provider reports, not an exception of the application: the provider wants it back.
          textOf(error)
        : (this.#chosenText(error, { toolCallId, tool, input }) ?? maskToolError(error, tool, toolCallId));
    return [
      { type: "tool-call-error", tool, toolCallId, message, ...(providerMetadata && { providerMetadata }) },
    ];
  }

  #chosenText(error: unknown, call: ModelToolCall): string | undefined {
    try {
      const text: unknown = this.#options.onToolError?.(error, call);
      return typeof text === "string" ? text : undefined;
    } catch (thrown) {
      console.error("onToolError failed; the default text is sent:", thrown);
      return undefined;
    }
  }

  #deny({ toolCallId, toolName: tool }: PartOf<"tool-output-denied">): StreamChunk {
    this.#open.delete(toolCallId);
    return {
      type: "tool-call-denied",
      tool,
      toolCallId,
      ...pickDefined({ reason: this.#reasons.get(toolCallId) }),
    };
  }

  #ask({
    approvalId,
    toolCall,
    reason,
    isAutomatic,
    signature = "",
  }: PartOf<"tool-approval-request">): StreamChunk {
    if (isAutomatic === true) this.#automatic.add(approvalId);
    else this.#asked.set(approvalId, toolCall.toolCallId);
    return {
      type: "interrupt",
      requestId: approvalId,
      resumeToken: signature,
      toolCallId: toolCall.toolCallId,
      reason: "tool-approval",
      ...(isAutomatic === true && { isAutomatic }),
      input: {
        kind: "choice",
        multiple: false,
        // A page shows no question that a policy answers.
        question: reason ?? (isAutomatic === true ? "" : `Run ${toolCall.title ?? toolCall.toolName}?`),
        options: [
          { id: "approve", label: "Approve" },
          { id: "deny", label: "Deny" },
        ],
      },
    };
  }

  #resolve({ approvalId, toolCall, approved, reason }: PartOf<"tool-approval-response">): StreamChunk {
    this.#asked.delete(approvalId);
    this.#reasons.set(toolCall.toolCallId, reason);
    return {
      type: "interrupt-resolved",
      requestId: approvalId,
      outcome: "answered",
      answer: approved ? "approve" : "deny",
      ...(this.#automatic.has(approvalId) && { isAutomatic: true }),
      ...pickDefined({ reason }),
    };
  }
}

/** What a start and a whole call have in common. */
function describe(call: AISDKToolCall) {
  const { toolCallId, toolName: tool, title, dynamic, providerExecuted, toolMetadata } = call;
  const own = pickDefined({ toolMetadata: toolMetadata ?? undefined, ...schemaInputOf(call) });
  const metadata = { ...call.providerMetadata, ...(Object.keys(own).length > 0 && { [aiSDK]: own }) };
  return {
    tool,
    toolCallId,
    ...pickDefined({ title }),
    ...(dynamic === true && { isDynamic: true }),
    ...(providerExecuted === true && { executor: "provider" as const }),
    ...(Object.keys(metadata).length > 0 && { providerMetadata: metadata }),
  };
}

/** Where a schema transforms its input, the SDK keeps the original, which an approved call needs, under a symbol. */
function schemaInputOf(call: AISDKToolCall): { inputSchemaInput?: unknown } {
  const symbol = Object.getOwnPropertySymbols(call).find(
    ({ description }) => description === "ai-sdk-tool-call-input-schema-input",
  );
  if (symbol === undefined) return {};
  const inputSchemaInput: unknown = (call as unknown as Record<symbol, unknown>)[symbol];
  return JSON.stringify(inputSchemaInput) === JSON.stringify(call.input) ? {} : { inputSchemaInput };
}

function textOf(error: unknown): string {
  if (typeof error === "string") return error;
  return (error instanceof Error ? error.message : JSON.stringify(error)) ?? "The tool failed.";
}

function maskToolError(error: unknown, tool: string, toolCallId: string): string {
  console.error(`The tool ${JSON.stringify(tool)} failed (call ${JSON.stringify(toolCallId)}):`, error);
  return "The tool failed.";
}

/** Leaves out what is undefined. */
export function pickDefined<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: NonNullable<Fields[Name]> } {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [Name in keyof Fields]: NonNullable<Fields[Name]> };
}
