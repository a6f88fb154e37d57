/** The rules of OpenAI's APIs for a conversation, as their documentation and their error messages state them. */

type Fields = Record<string, unknown>;

const listOf = (value: unknown) => (Array.isArray(value) ? (value as Fields[]) : []);
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

function isJSONObject(text: unknown): boolean {
  try {
    return isObject(JSON.parse(String(text)));
  } catch {
    return false;
  }
}

const isWebOrData = (url: unknown) => /^(https?:\/\/|data:)/.test(String(url));

/** @returns what a chat completion would refuse. Ids may occur again in a later answer, as those of Mistral do. */
export function findBrokenChatRules(messages: readonly object[]): string[] {
  const broken: string[] = [];
  const demand = (isKept: boolean, rule: string) => {
    if (!isKept) broken.push(rule);
  };
  let open: unknown[] = [];
  for (const message of messages as Fields[]) {
    const { role, content, refusal, tool_calls, function_call, tool_call_id } = message;
    if (role === "tool") {
      demand(open.includes(tool_call_id), "a result comes after its call");
      demand(typeof content === "string", "a result is a text");
      open = open.filter((id) => id !== tool_call_id);
      continue;
    }
    demand(open.length === 0, "every call has a result directly after it");
    open = listOf(tool_calls).map(({ id }) => id);
    for (const call of listOf(tool_calls)) {
      const { name, arguments: input, input: text } = (call.function ?? call.custom) as Fields;
      demand(open.filter((id) => id === call.id).length === 1, "ids of calls are unique in an answer");
      demand(String(call.id).length <= 64 && call.id !== "", "ids of calls are short");
      demand(/^[\w-]{1,64}$/.test(String(name)), "names of tools have a pattern");
      demand(call.function ? isJSONObject(input) : typeof text === "string", "inputs are JSON or texts");
    }
    if (role === "assistant") {
      demand(
        typeof content === "string" || Boolean(refusal ?? tool_calls ?? function_call ?? message.audio),
        "an answer has something",
      );
      demand(content !== "", "an answer's text is not empty");
    } else {
      demand(Array.isArray(content) ? content.length > 0 : content !== "", "a message has content");
      for (const { image_url } of listOf(role === "user" ? content : [])) {
        demand(image_url === undefined || isWebOrData((image_url as Fields).url), "images can be loaded");
      }
    }
  }
  demand(open.length === 0, "every call has a result directly after it");
  return broken;
}

/** @returns what the Responses API would refuse. */
export function findBrokenResponsesRules(input: readonly object[]): string[] {
  const broken: string[] = [];
  const demand = (isKept: boolean, rule: string) => {
    if (!isKept) broken.push(rule);
  };
  const calls = new Set<unknown>();
  const results = new Set<unknown>();
  for (const item of input as Fields[]) {
    const { type = "message", call_id, name, content, role } = item;
    if (type === "function_call" || type === "custom_tool_call") {
      demand(!calls.has(call_id), "ids of calls are unique");
      calls.add(call_id);
      demand(String(call_id).length <= 64 && call_id !== "", "ids of calls are short");
      demand(/^[\w-]{1,128}$/.test(String(name)), "names of tools have a pattern");
      demand(typeof item[type === "function_call" ? "arguments" : "input"] === "string", "inputs are texts");
    }
    if (type === "function_call_output" || type === "custom_tool_call_output") {
      demand(calls.has(call_id), "a result comes after its call");
      demand(!results.has(call_id), "a call has one result");
      results.add(call_id);
      const isContent = Array.isArray(item.output) && item.output.length > 0;
      demand(typeof item.output === "string" || isContent, "a result is a text or a list of content");
    }
    if (type === "message") {
      demand(Array.isArray(content) ? content.length > 0 : content !== "", "a message has content");
      demand(role !== "system" || typeof content === "string", "instructions are a text");
      for (const { type: kind, image_url, file_id } of listOf(content)) {
        if (kind !== "input_image") continue;
        demand(file_id !== undefined || isWebOrData(image_url), "images can be loaded");
      }
    }
  }
  demand(calls.size === results.size, "every call has a result");
  return broken;
}
