/** The rules of Anthropic's Messages API for a conversation, as its documentation and its error messages state them. */

type Block = Record<string, unknown> & { type: string };
interface Message {
  role: string;
  content: Block[];
}

const isThinking = ({ type }: Block) => type === "thinking" || type === "redacted_thinking";
const isUse = ({ type }: Block) => /_use$/.test(type);
const isProviderUse = (block: Block) => isUse(block) && block.type !== "tool_use";
const isProviderResult = ({ type }: Block) => /_tool_result$/.test(type);
const programOf = ({ caller }: Block) => (caller as { tool_id?: unknown } | undefined)?.tool_id;
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @returns what the API would refuse. */
export function findBrokenRules(prompt: { system?: string; messages: unknown[] }): string[] {
  const messages = prompt.messages as Message[];
  const broken: string[] = [];
  const demand = (isKept: boolean, rule: string) => {
    if (!isKept) broken.push(rule);
  };
  if (messages.length === 0) return broken;
  demand(messages[0]!.role === "user", "the first message is the user's");
  demand(prompt.system === undefined || prompt.system.trim() !== "", "the system prompt is not blank");
  const ids = new Set<unknown>();
  const openPrograms = new Map<unknown, number>();
  for (const [index, { role, content }] of messages.entries()) {
    demand(role !== messages[index - 1]?.role, "roles alternate");
    demand(content.length > 0, "a message has content");
    for (const block of content) {
      if (block.type === "text") demand(String(block.text).trim() !== "", "no text is blank");
      if (block.type === "thinking") demand(typeof block.signature === "string", "thinking is signed");
      if (isUse(block)) {
        demand(!ids.has(block.id), "ids of calls are unique");
        ids.add(block.id);
        demand(/^[a-zA-Z0-9_-]+$/.test(String(block.id)), "ids of calls have a pattern");
        demand(/^[a-zA-Z0-9_-]{1,128}$/.test(String(block.name)), "names of tools have a pattern");
        demand(isObject(block.input), "inputs are objects");
      }
      if (isProviderUse(block)) openPrograms.set(block.id, index);
      if (isProviderResult(block) && block.type !== "tool_result") {
        demand(block.content !== undefined, "a result of the provider's has a content");
        demand(openPrograms.delete(block.tool_use_id), "a result of the provider's comes after its call");
      }
    }
    if (role === "assistant") checkAnswer(content, index === messages.length - 1, demand);
    else checkQuestion(content, messages[index - 1], demand);
    checkResults(content, messages[index + 1], demand);
    for (const id of content.map(programOf)) {
      demand(id === undefined || openPrograms.has(id), "a program runs while it calls");
    }
  }
  // The last message of the assistant, which may wait for results.
  const last = messages.findLastIndex(({ role }) => role === "assistant");
  const callers = messages[last]?.content.map(programOf) ?? [];
  const isAtEnd = last >= messages.length - 2;
  for (const [id, index] of openPrograms) {
    demand(isAtEnd && (index === last || callers.includes(id)), "a call of the provider's has its result");
  }
  return broken;
}

function checkAnswer(content: Block[], isLast: boolean, demand: (isKept: boolean, rule: string) => void) {
  demand(!isThinking(content.at(-1)!), "an answer does not end with thinking");
  demand(
    !content.some(({ type }) => type === "tool_result" || type === "image" || type === "document"),
    "an answer has blocks of answers only",
  );
  const { type, text } = content.at(-1)!;
  demand(
    !isLast || type !== "text" || !/\s$/.test(String(text)),
    "the text to continue does not end with space",
  );
}

function checkQuestion(
  content: Block[],
  before: Message | undefined,
  demand: (isKept: boolean, rule: string) => void,
) {
  demand(
    !content.some((block) => isThinking(block) || isUse(block)),
    "a question has blocks of questions only",
  );
  const types = content.map(({ type }) => type === "tool_result");
  demand(
    types.lastIndexOf(true) < (types.includes(false) ? types.indexOf(false) : types.length),
    "results come first",
  );
  const called = before?.content.filter(({ type }) => type === "tool_use").map(({ id }) => id) ?? [];
  for (const { type, tool_use_id, content: result, is_error } of content) {
    if (type !== "tool_result") continue;
    demand(called.includes(tool_use_id), "a result comes directly after its call");
    demand(!is_error || (result !== undefined && result !== ""), "a failure has a content");
  }
}

function checkResults(
  content: Block[],
  next: Message | undefined,
  demand: (isKept: boolean, rule: string) => void,
) {
  const results = next?.content
    .filter(({ type }) => type === "tool_result")
    .map(({ tool_use_id }) => tool_use_id);
  for (const { type, id } of content) {
    if (type !== "tool_use") continue;
    demand(
      results?.filter((result) => result === id).length === 1,
      "a call has one result directly after it",
    );
  }
}
