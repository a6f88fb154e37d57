/**
 * Conversations as requests to Anthropic, and tools as the API wants them. The rules of the API that a conversation may break
 * are kept here: roles that alternate, results directly after their calls, no blank texts. Files are in
 * `anthropic-files.ts`, the blocks of an answer in `anthropic-answer.ts`.
 */
import type { ChatMessage, ClientTool } from "@kortyx/protocol";
import { AnthropicAnswers } from "./anthropic-answer.ts";
import { toFileBlock } from "./anthropic-files.ts";
import type {
  AnthropicBlockParam,
  AnthropicMessageParam,
  AnthropicPrompt,
  AnthropicToolParam,
} from "./anthropic-request.ts";
import { type HistoryEntry, type HistoryOptions, toHistory, withResults } from "./model-history.ts";

export type * from "./anthropic-request.ts";

/**
 * The conversation as Anthropic's Messages API wants it, to be spread into a request.
 *
 * What `fromAnthropic` has put into an answer is returned as it came: thinking with its signature, quotes, and the blocks of
 * tools that Anthropic runs. A call without a result gets one that reports an interruption. Thinking without a signature,
 * calls that another provider ran and data of the application are left out. A file that the API cannot read becomes a text
 * with its name.
 *
 * @example
 * ```ts
 * toAnthropicPrompt([
 *   { role: "system", content: "Be brief." },
 *   { role: "user", content: "Hello" },
 * ]).system; // "Be brief."
 * ```
 */
export function toAnthropicPrompt(
  messages: readonly ChatMessage[],
  options: HistoryOptions = {},
): AnthropicPrompt {
  const history = toHistory(withResults(messages, options.toolResults));
  const system = history
    .filter(({ role }) => role === "system")
    .flatMap(({ parts }) => parts)
    .flatMap((part) => (part.type === "text" && part.text.trim() !== "" ? [part.text] : []))
    .join("\n\n");
  const said = toMessages(toItems(history.filter(({ role }) => role !== "system")));
  return { ...(system !== "" && { system }), messages: withoutTrailingSpace(withUserFirst(said)) };
}

/**
 * Tools of the client as Anthropic wants them.
 *
 * @example
 * ```ts
 * toAnthropicTools([{ name: "print", description: "Prints the page." }])[0]?.name; // "print"
 * ```
 */
export function toAnthropicTools(tools: readonly ClientTool[]): AnthropicToolParam[] {
  return tools.map(({ name, description, inputSchema = { properties: {} } }) => ({
    name,
    ...(description !== "" && { description }),
    input_schema: { ...inputSchema, type: "object" },
  }));
}

/** One block, and who said it. */
interface Item {
  role: AnthropicMessageParam["role"];
  block: AnthropicBlockParam;
}

function toItems(history: HistoryEntry[]): Item[] {
  const answers = new AnthropicAnswers(history);
  const by = (role: Item["role"], blocks: AnthropicBlockParam[]): Item[] =>
    blocks.map((block) => ({ role, block }));
  const items = history.flatMap(({ role, parts }, index): Item[] => {
    const late = by("assistant", answers.resultsBefore(index));
    if (role !== "assistant") return [...late, ...by("user", parts.flatMap(toUserBlocks))];
    const { blocks, results } = answers.toBlocks(parts, index);
    return [...late, ...by("assistant", blocks), ...by("user", results)];
  });
  return [...items, ...by("assistant", answers.resultsBefore(history.length))];
}

const toUserBlocks = (part: HistoryEntry["parts"][number]): AnthropicBlockParam[] => {
  if (part.type === "file") return [toFileBlock(part)];
  return part.type === "text" && part.text.trim() !== "" ? [{ type: "text", text: part.text }] : [];
};

/** Merges neighbours of the same role. Thinking may not be the last block of the assistant. */
function toMessages(items: Item[]): AnthropicMessageParam[] {
  const messages: AnthropicMessageParam[] = [];
  for (const { role, block } of withoutLastThinking(items)) {
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(block);
    else messages.push({ role, content: [block] });
  }
  return messages;
}

function withoutLastThinking(items: Item[]): Item[] {
  const kept: Item[] = [];
  for (const item of items.toReversed()) {
    const isThinking = item.block.type === "thinking" || item.block.type === "redacted_thinking";
    if (!isThinking || kept.at(-1)?.role === "assistant") kept.push(item);
  }
  return kept.reverse();
}

/** A conversation that begins with a greeting of the assistant's. */
function withUserFirst(messages: AnthropicMessageParam[]): AnthropicMessageParam[] {
  if (messages[0]?.role !== "assistant") return messages;
  return [{ role: "user", content: [{ type: "text", text: "(The assistant begins.)" }] }, ...messages];
}

/** The text that the model is to continue must not end with white space. */
function withoutTrailingSpace(messages: AnthropicMessageParam[]): AnthropicMessageParam[] {
  const last = messages.at(-1);
  const block = last?.role === "assistant" ? last.content.at(-1) : undefined;
  if (block?.type === "text") block.text = block.text.trimEnd();
  return messages;
}
