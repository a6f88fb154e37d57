/**
 * The results of calls as items of OpenAI's Responses API: in the form of each tool.
 */
import type { ToolCallMessagePart } from "@kortyx/protocol";
import { isRecord } from "./loose-values.ts";
import { resultOf, toText } from "./model-history.ts";
import { type Item, outputTypeOf, toResultItem } from "./openai-responses-items.ts";

type Fields = Record<string, unknown>;

/**
 * @param rest - What OpenAI wants back with the result.
 * @returns one item, or none for a call that has its result in itself; undefined for a call that has no result that OpenAI
 * would accept.
 */
export function toOutputItem(call: Item, part: ToolCallMessagePart, rest: Fields): Item[] | undefined {
  const type = outputTypeOf(call);
  if (type === undefined) return [];
  if (rest.type === type && part.state === "done") {
    const content = type === "tool_search_output" ? toTools(part.content) : part.content;
    return [toResultItem(type, call, content, rest)];
  }
  if (part.executor === "provider") {
    // A program waits for the results of its calls.
    return call.type === "program" ? [] : undefined;
  }
  const output = toOutput(type, part);
  if (output === undefined) return undefined;
  const id = type === "local_shell_call_output" ? { id: call.call_id } : { call_id: call.call_id };
  const caller = call.caller === undefined || call.caller === null ? {} : { caller: call.caller };
  return [{ ...output, ...id, ...caller, type }];
}

/** The fields of the item that the tool decides. */
function toOutput(type: string, part: ToolCallMessagePart): Fields | undefined {
  const { content, isError } = resultOf(part);
  if (type === "function_call_output" || type === "custom_tool_call_output") {
    return { output: isContentList(content) ? content : toText(content) };
  }
  // A tool may return the fields as OpenAI names them.
  const given = isRecord(content) && !isError ? content : {};
  switch (type) {
    case "computer_call_output":
      if (isRecord(given.output)) return given;
      return given.type === "computer_screenshot" ? { output: given } : undefined;
    case "shell_call_output":
      return Array.isArray(given.output) ? given : { output: [toPrinted(content, isError)] };
    case "apply_patch_call_output":
      if (given.status !== undefined) return given;
      return { status: isError ? "failed" : "completed", output: toText(content) };
    case "tool_search_output":
      return { execution: "client", status: "completed", tools: toTools(given.tools ?? content) };
    default:
      return typeof given.output === "string" ? given : { output: toText(content) };
  }
}

const toPrinted = (content: unknown, isError: boolean): Fields => ({
  stdout: isError ? "" : toText(content),
  stderr: isError ? toText(content) : "",
  outcome: { type: "exit", exit_code: isError ? 1 : 0 },
});

/** A client could add any tool, also a server of its own: only those that the application runs are taken. */
const toTools = (content: unknown): unknown[] =>
  Array.isArray(content) ? content.filter((tool) => applicationTools.has(Object(tool).type)) : [];

const applicationTools: ReadonlySet<unknown> = new Set(["function", "custom", "namespace"]);

const contentTypes: ReadonlySet<unknown> = new Set(["input_text", "input_image", "input_file"]);

/** A tool that returns images has written OpenAI's own form. */
const isContentList = (content: unknown): boolean =>
  Array.isArray(content) &&
  content.length > 0 &&
  content.every((item) => contentTypes.has(Object(item).type));
