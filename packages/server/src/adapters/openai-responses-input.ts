/**
 * A conversation as the `input` of a request to OpenAI's Responses API, and the tools of a client as its `tools`. Rebuilds
 * what `openai-responses.ts` has translated; the items of calls are built in `openai-responses-items.ts`.
 */
import type {
  ChatMessage,
  ChatMessagePart,
  ClientTool,
  ClientToolResult,
  InterruptAnswer,
  ProviderMetadata,
  ReasoningMessagePart,
  TextMessagePart,
  ToolCallMessagePart,
} from "@kortyx/protocol";
import {
  createCallIds,
  type HistoryOptions,
  toAnsweredCall,
  toHistory,
  toToolName,
  withResults,
} from "./model-history.ts";
import { toContent } from "./openai-responses-content.ts";
import type { OpenAIResponsesInputItem, OpenAIResponsesTool } from "./openai-responses-input-items.ts";
import { type Item, toCallItem } from "./openai-responses-items.ts";
import { toOutputItem } from "./openai-responses-outputs.ts";

/** Options of {@link toOpenAIResponsesInput}. */
export interface OpenAIResponsesInputOptions extends HistoryOptions {
  /**
   * The `store` of the request. Without stored responses, OpenAI knows reasoning only by its `encrypted_content`, which the
   * request before has to ask for with `include: ["reasoning.encrypted_content"]`; other reasoning is left out.
   *
   * @defaultValue true
   */
  store?: boolean | undefined;
  /** The decisions about calls of MCP tools: the agent's option of the same name. */
  resumes?: readonly InterruptAnswer[] | undefined;
}

/**
 * Translates a conversation into the `input` of `client.responses.create`.
 *
 * Items that OpenAI has sent return as they were, reasoning and compactions included. Every call gets a result: one that has none
 * was interrupted. Without messages, the decisions and results alone are translated, for a request with `previous_response_id`. Calls that another provider has run, steps, data, and files of answers are left out.
 *
 * @returns the items, oldest first.
 *
 * @example
 * ```ts
 * toOpenAIResponsesInput([{ role: "user", content: "Hello" }]); // [{ role: "user", content: "Hello" }]
 * ```
 */
export function toOpenAIResponsesInput(
  messages: readonly ChatMessage[],
  options: OpenAIResponsesInputOptions = {},
): OpenAIResponsesInputItem[] {
  const given: Given = {
    store: options.store ?? true,
    toCallId: createCallIds(64),
    decisions: new Map(options.resumes?.map((answer) => [answer.requestId, answer])),
  };
  const items = toHistory(withResults(messages, options.toolResults)).flatMap(({ role, parts }) =>
    role === "assistant" ? new TurnItems(parts, given).items : toSaid(role, toContent(parts)),
  );
  const all = messages.length === 0 ? toAnswers(given, options.toolResults ?? []) : items;
  // Every item has the fields of its kind, which for OpenAI's own tools only OpenAI knows.
  return inOrder(all).map(withoutUsualType) as OpenAIResponsesInputItem[];
}

/** A message of data alone has nothing to read. */
const toSaid = (role: string, content: ReturnType<typeof toContent>): Item[] =>
  content.length > 0 ? [{ type: "message", role, content }] : [];

/** What a request has in addition to the messages. */
interface Given {
  store: boolean;
  /** The ids of the calls that the application runs, each once. */
  toCallId: (id: string) => string;
  decisions: ReadonlyMap<string, InterruptAnswer>;
}

/** With `previous_response_id`, OpenAI knows the calls. */
const toAnswers = ({ decisions }: Given, results: readonly ClientToolResult[]): Item[] => [
  // Other questions are the application's.
  ...[...decisions.values()].filter(({ requestId, toolCallId }) => requestId === toolCallId).map(toDecision),
  ...results.flatMap((result) => {
    const call = { type: "function_call", call_id: result.toolCallId };
    return toOutputItem(call, toAnsweredCall(result), {}) ?? [];
  }),
];

/**
 * Translates tools that a client offers, or that an application describes in the same way, into `tools` of a request.
 *
 * @example
 * ```ts
 * const [tool] = toOpenAIResponsesTools([{ name: "print", description: "Prints the page." }]);
 * tool?.type; // "function"
 * ```
 */
export function toOpenAIResponsesTools(tools: readonly ClientTool[]): OpenAIResponsesTool[] {
  return tools.map(({ name, description, inputSchema }) => ({
    type: "function",
    name,
    description,
    parameters: inputSchema ?? { type: "object", properties: {} },
    // Strict schemas have rules that a client may not know.
    strict: false,
  }));
}

/** The items of one turn of the model, and the results of its calls. */
class TurnItems {
  readonly #given: Given;
  readonly #images = new Map<unknown, string>();
  #items: Item[] = [];
  readonly #outputs: Item[] = [];
  /** Decisions about the requests before them, which follow each other. */
  #decided: Item[] = [];

  constructor(parts: readonly ChatMessagePart[], given: Given) {
    this.#given = given;
    for (const part of parts) {
      if (part.type === "file") this.#images.set(restOf(part.providerMetadata).item_id, part.url);
    }
    for (const part of parts) this.#add(part);
    this.#flush();
    if (!given.store) this.#items = this.#items.filter(isReadable);
    // OpenAI refuses reasoning that leads to nothing.
    while (this.#items.at(-1)?.type === "reasoning") this.#items.pop();
  }

  get items(): Item[] {
    return [...this.#items, ...this.#outputs];
  }

  #add(part: ChatMessagePart): void {
    switch (part.type) {
      case "text":
        this.#addText(part);
        break;
      case "reasoning":
        this.#addReasoning(part);
        break;
      case "tool-call":
        this.#addCall(part);
    }
  }

  #push(item: Item): void {
    if (item.type !== "mcp_approval_request") this.#flush();
    this.#items.push(item);
  }

  #flush(): void {
    this.#items.push(...this.#decided);
    this.#decided = [];
  }

  #addText({ text, providerMetadata }: TextMessagePart): void {
    const { item_id: id, type, annotations, phase, status } = restOf(providerMetadata);
    if (text === "") return;
    if (typeof id !== "string") {
      this.#push({ type: "message", role: "assistant", content: text });
      return;
    }
    const content =
      type === "refusal"
        ? { type, refusal: text }
        : { type: "output_text", text, annotations: Array.isArray(annotations) ? annotations : [] };
    const last = this.#items.at(-1);
    if (last?.type === "message" && last.id === id) {
      (last.content as unknown[]).push(content);
      return;
    }
    const state = status ?? "completed";
    this.#push({
      type: "message",
      id,
      role: "assistant",
      status: state,
      content: [content],
      ...(typeof phase === "string" && { phase }),
    });
  }

  #addReasoning({ text, providerMetadata }: ReasoningMessagePart): void {
    const { item_id: id, type, ...fields } = restOf(providerMetadata);
    if (type === "compaction") this.#push({ ...fields, type });
    if (typeof id !== "string" || type === "compaction") return;
    const isWhole = type === "reasoning_text";
    const last = this.#items.at(-1);
    const isSame = last?.type === "reasoning" && last.id === id;
    const before = isSame ? last : { id, summary: [] };
    const { summary, content = [] } = before as { summary: unknown[]; content?: unknown[] };
    const item = {
      ...before,
      ...fields,
      type: "reasoning",
      ...(text !== "" && !isWhole && { summary: [...summary, { type: "summary_text", text }] }),
      ...(text !== "" && isWhole && { content: [...content, { type: "reasoning_text", text }] }),
    };
    if (isSame) this.#items.pop();
    this.#push(item);
  }

  #addCall(part: ToolCallMessagePart): void {
    // Its input was never whole.
    if (part.input === undefined) return;
    const rest = restOf(part.providerMetadata);
    const item = toCallItem(part, rest);
    if (item === undefined) return;
    switch (item.type) {
      case "mcp_approval_request":
        this.#push(item);
        this.#decided.push(this.#decisionOf(part));
        break;
      case "mcp_call":
        this.#addCallOfServer(item);
        break;
      case "image_generation_call":
        this.#addImage(item);
        break;
      default: {
        const named = this.#withNames(item);
        const output = toOutputItem(named, part, restOf(part.resultProviderMetadata));
        // A call without a result would have OpenAI refuse the request.
        if (output === undefined) return;
        this.#push(named);
        if (part.executor === "provider") this.#items.push(...output);
        else this.#outputs.push(...output);
      }
    }
  }

  /** Those of another provider may be too long, have other characters, or occur more than once. */
  #withNames(item: Item): Item {
    if (item.type !== "function_call" && item.type !== "custom_tool_call") return item;
    return {
      ...item,
      call_id: this.#given.toCallId(String(item.call_id)),
      name: toToolName(String(item.name), 128),
    };
  }

  /** A call that was approved follows its request, which is the same call here. */
  #addCallOfServer(item: Item): void {
    const { approval_request_id: id, name, arguments: input, server_label } = item;
    if (typeof id === "string") {
      this.#push({ type: "mcp_approval_request", id, name, arguments: input, server_label });
      this.#items.push({ type: "mcp_approval_response", approval_request_id: id, approve: true });
    }
    this.#push(item);
  }

  #addImage(item: Item): void {
    const [, base64] = /^data:[^,]*;base64,(.*)$/s.exec(this.#images.get(item.id) ?? "") ?? [];
    if (base64 !== undefined) this.#push({ ...item, result: base64 });
    // Stored at OpenAI only.
    else if (this.#given.store) this.#push({ type: "item_reference", id: item.id });
  }

  #decisionOf({ toolCallId, state, errorMessage }: ToolCallMessagePart): Item {
    const answer = this.#given.decisions.get(toolCallId);
    if (answer) return toDecision(answer);
    const reason = state === "denied" ? errorMessage : "The request was not answered.";
    return {
      type: "mcp_approval_response",
      approval_request_id: toolCallId,
      approve: false,
      ...(reason !== undefined && { reason }),
    };
  }
}

/** Whether OpenAI knows what is in an item that it has not stored. */
const isReadable = ({ type, encrypted_content }: Item): boolean =>
  type !== "reasoning" || typeof encrypted_content === "string";

/** What OpenAI wants back. Untrusted: no item gets the role of another author. */
function restOf(providerMetadata: ProviderMetadata | undefined): Record<string, unknown> {
  const { openai } = providerMetadata ?? {};
  const { role, ...rest } = Object(openai) as Record<string, unknown>;
  return rest;
}

function toDecision({ requestId, outcome, answer, reason }: InterruptAnswer): Item {
  const approve = outcome !== "cancelled" && [answer].flat()[0] === "approve";
  const type = "mcp_approval_response";
  return { type, approval_request_id: requestId, approve, ...(reason !== undefined && { reason }) };
}

/** A program has its result after those of the calls that it made. */
function inOrder(items: Item[]): Item[] {
  const ordered = [...items];
  for (const item of items) {
    if (item.type !== "program_output") continue;
    const last = ordered.findLastIndex(({ caller }) => Object(caller).caller_id === item.call_id);
    const index = ordered.indexOf(item);
    if (last <= index) continue;
    ordered.splice(last + 1, 0, item);
    ordered.splice(index, 1);
  }
  return ordered;
}

/** A message without an id needs no type. */
function withoutUsualType(item: Item): object {
  if (item.type !== "message" || item.id !== undefined) return item;
  const { type, ...message } = item;
  return message;
}
