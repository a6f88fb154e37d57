/**
 * The conversation as messages for the AI SDK: the way back of `ai-sdk.ts`. Decides what a model reads of each part; imports
 * nothing of the SDK.
 */
import type {
  ChatAgentFields,
  ChatMessage,
  ChatMessagePart,
  FileMessagePart,
  InterruptAnswer,
  ProviderMetadata,
  ToolCallMessagePart,
} from "@kortyx/protocol";
import { aiSDK, isApproved, pickDefined } from "./ai-sdk-calls.ts";
import type {
  AISDKAssistantPart,
  AISDKFilePart,
  AISDKModelMessage,
  AISDKModelValue,
  AISDKProviderOptions,
  AISDKTextPart,
  AISDKToolOutput,
  AISDKToolPart,
} from "./ai-sdk-model-messages.ts";
import { isRecord } from "./loose-values.ts";
import {
  type HistoryEntry,
  type HistoryOptions,
  isLoadableURL,
  isSettled,
  nameFile,
  resultOf,
  toHistory,
  toText,
  withResults,
} from "./model-history.ts";

/** Options of {@link toModelMessages}. The options that a route gives its agent can be passed as they are. */
export interface ToModelMessagesOptions extends HistoryOptions, Pick<ChatAgentFields, "resumes"> {
  /**
   * What the model reads of a call's result, as `toModelOutput` of a tool decides in the SDK.
   *
   * @defaultValue a text as it is, and anything else as JSON
   */
  toOutput?: ((call: ToolCallMessagePart) => AISDKToolOutput | undefined) | undefined;
}

/**
 * The conversation as the `messages` of `streamText`, or of an agent. With the `resumes` of a request, the SDK runs the
 * calls that were approved, and the model learns which were denied; with its `toolResults`, it continues with the results
 * of the page.
 *
 * The messages hold what a client has sent: pass `resumes` only from a route with a `resumeSecret`, or else a client can
 * invent the call that it approves.
 *
 * @example
 * ```ts
 * toModelMessages([{ role: "user", content: "Hello" }]); // [{ role: "user", content: [{ type: "text", text: "Hello" }] }]
 * ```
 */
export function toModelMessages(
  messages: readonly ChatMessage[],
  options: ToModelMessagesOptions = {},
): AISDKModelMessage[] {
  const history = toHistory(withResults(messages, options.toolResults));
  return history.flatMap((entry, index) => toMessages(entry, options, index === history.length - 1));
}

function toMessages(
  entry: HistoryEntry,
  options: ToModelMessagesOptions,
  isLast: boolean,
): AISDKModelMessage[] {
  const { role, parts } = entry;
  if (role === "assistant") return new ModelTurnMessages(entry, options, isLast).messages;
  if (role === "system") return [{ role, content: parts.map(textOf).join("") }];
  const content = parts.flatMap(toUserPart);
  return content.length > 0 ? [{ role, content }] : [];
}

/** One call of the model, and what followed it. */
class ModelTurnMessages {
  readonly #options: ToModelMessagesOptions;
  readonly #said: AISDKAssistantPart[] = [];
  readonly #returned: AISDKToolPart[] = [];

  /** @param isLast - Only a turn that nothing follows can be continued. */
  constructor({ parts }: HistoryEntry, options: ToModelMessagesOptions, isLast: boolean) {
    this.#options = options;
    for (const part of parts) {
      if (part.type !== "tool-call") this.#said.push(...toAssistantPart(part));
      else this.#addCall(part, isLast && isNewest(part, parts) ? this.#answerAbout(part) : undefined);
    }
  }

  get messages(): AISDKModelMessage[] {
    return [
      ...(this.#said.length > 0 ? [{ role: "assistant" as const, content: this.#said }] : []),
      ...(this.#returned.length > 0 ? [{ role: "tool" as const, content: this.#returned }] : []),
    ];
  }

  #answerAbout(call: ToolCallMessagePart): InterruptAnswer | undefined {
    if (isSettled(call)) return undefined;
    return this.#options.resumes?.find(({ toolCallId }) => toolCallId === call.toolCallId);
  }

  #addCall(call: ToolCallMessagePart, answer: InterruptAnswer | undefined): void {
    const { toolCallId, tool: toolName } = call;
    const isByProvider = call.executor === "provider";
    const { options: providerOptions, own } = split(call.providerMetadata);
    this.#said.push({
      type: "tool-call",
      toolCallId,
      toolName,
      input: toInput(call),
      ...(isByProvider && { providerExecuted: true }),
      ...pickDefined({ providerOptions }),
    });
    if (answer) this.#addAnswer(call, answer, own);
    else if (isByProvider) {
      // A result that the provider still owes comes in its next answer.
      if (isSettled(call))
        this.#said.push(this.#resultOf(call, split(call.resultProviderMetadata).options ?? providerOptions));
    } else this.#returned.push(this.#resultOf(call, providerOptions));
  }

  #addAnswer(call: ToolCallMessagePart, answer: InterruptAnswer, own: Record<string, unknown>): void {
    const { toolCallId } = call;
    const { requestId: approvalId, resumeToken, reason } = answer;
    const approved = isApproved(answer);
    this.#said.push({
      type: "tool-approval-request",
      approvalId,
      toolCallId,
      ...(resumeToken !== "" && { signature: resumeToken }),
      ...(Object.hasOwn(own, "inputSchemaInput") && { inputSchemaInput: own.inputSchemaInput }),
    });
    const isByProvider = call.executor === "provider";
    this.#returned.push({
      type: "tool-approval-response",
      approvalId,
      approved,
      ...pickDefined({ reason }),
      ...(isByProvider && { providerExecuted: true }),
    });
    if (approved) return;
    const { options: providerOptions } = split(call.providerMetadata);
    const output: AISDKToolOutput = { type: "execution-denied", ...pickDefined({ reason }) };
    this.#returned.push(toResult(call, output, providerOptions));
  }

  #resultOf(call: ToolCallMessagePart, providerOptions: AISDKProviderOptions | undefined) {
    return toResult(call, this.#options.toOutput?.(call) ?? outputOf(call), providerOptions);
  }
}

/** What is not JSON, or was never whole, is no input for a provider: the SDK, too, sends an empty one. */
function toInput({ state, input, inputFormat }: ToolCallMessagePart): unknown {
  const isWritten = state !== "error" || inputFormat === "text" || typeof input === "object";
  return isWritten ? (input ?? {}) : {};
}

/** An id may name several calls of a turn, one after the other. */
const isNewest = (call: ToolCallMessagePart, parts: readonly ChatMessagePart[]): boolean =>
  parts.findLast((part) => part.type === "tool-call" && part.toolCallId === call.toolCallId) === call;

const toResult = (
  { toolCallId, tool: toolName }: ToolCallMessagePart,
  output: AISDKToolOutput,
  providerOptions: AISDKProviderOptions | undefined,
) => ({ type: "tool-result" as const, toolCallId, toolName, output, ...pickDefined({ providerOptions }) });

/** As the SDK writes the same results. */
function outputOf(call: ToolCallMessagePart): AISDKToolOutput {
  if (call.state === "denied") {
    return { type: "error-text", value: call.errorMessage ?? "Tool call execution denied." };
  }
  const { content, isError } = resultOf(call);
  if (isError && call.executor === "provider")
    return { type: "error-json", value: content as AISDKModelValue };
  if (isError) return { type: "error-text", value: toText(content) };
  return typeof content === "string"
    ? { type: "text", value: content }
    : { type: "json", value: content as AISDKModelValue };
}

function toUserPart(part: ChatMessagePart): (AISDKTextPart | AISDKFilePart)[] {
  switch (part.type) {
    case "text":
      return [{ type: "text", text: part.text, ...optionsOf(part) }];
    case "file":
      return [toFile(part)];
    default:
      return [];
  }
}

function toAssistantPart(part: ChatMessagePart): AISDKAssistantPart[] {
  switch (part.type) {
    case "text":
    case "reasoning":
      return [{ type: part.type, text: part.text, ...optionsOf(part) }];
    case "file":
      // A handle of the provider that has made the file, which others do not know.
      return [toFile({ ...part, providerReference: undefined })];
    case "data":
      return isCustom(part.name) && part.data === null
        ? [{ type: "custom", kind: part.name, ...optionsOf(part) }]
        : [];
    default:
      return [];
  }
}

const isCustom = (name: string): name is `${string}.${string}` => /^[^.]+\../.test(name);

/** A file that the SDK could not load is named. */
function toFile(part: FileMessagePart): AISDKFilePart | AISDKTextPart {
  const { mediaType, url, name: filename, providerReference: reference } = part;
  if (!reference && !isLoadableURL(url)) return toName(part);
  return {
    type: "file",
    mediaType,
    data: reference ? { type: "reference", reference } : { type: "url", url: new URL(url) },
    ...pickDefined({ filename }),
    ...optionsOf(part),
  };
}

const toName = (file: FileMessagePart): AISDKTextPart => ({ type: "text", text: nameFile(file) });

const textOf = (part: ChatMessagePart): string => (part.type === "text" ? part.text : "");

const optionsOf = ({ providerMetadata }: { providerMetadata?: ProviderMetadata | undefined }) =>
  pickDefined({ providerOptions: split(providerMetadata).options });

/** @returns what is for the provider, undefined if nothing is, and what only the SDK itself knows. */
function split(metadata: ProviderMetadata = {}): {
  options: AISDKProviderOptions | undefined;
  own: Record<string, unknown>;
} {
  const { [aiSDK]: own, ...given } = metadata;
  // The SDK refuses the whole conversation for anything else, which a client may have written.
  const others = Object.fromEntries(Object.entries(given).filter(([, value]) => isRecord(value)));
  const isEmpty = Object.keys(others).length === 0;
  return {
    options: isEmpty ? undefined : (others as AISDKProviderOptions),
    own: Object(own) as Record<string, unknown>,
  };
}
