/**
 * The items of OpenAI's Responses API that call tools, and their outputs: as calls of ours, and back, so that a conversation
 * returns each item as OpenAI sent it. Knows no events.
 */
import type { ToolCallMessagePart } from "@kortyx/protocol";
import { parseToolInput } from "./model-stream.ts";

/** An item of a response, or of a request. */
export type Item = { readonly type: string; readonly [field: string]: unknown };

/** Where an item keeps what a call of ours has. What it has beyond that is what OpenAI wants back. */
interface CallForm {
  /** The name of the tool; absent where the item names it. */
  tool?: string;
  /** The field with the input; of several, the input is an object. */
  input: string | readonly string[];
  /** The field is JSON as a text, or free text; otherwise it is the input as it is. */
  format?: "json" | "text";
  /** The application runs the tool. */
  isApplication?: boolean | ((item: Item) => boolean);
  /** Where the result is: a field of this item, an item of its own, or nowhere. */
  result?: { field: string } | { item: string };
  /** The item has a `call_id`. */
  hasCallId?: true;
}

const isLocal = ({ environment }: Item) =>
  (environment as { type?: unknown } | null | undefined)?.type !== "container_reference";

const callForms: Readonly<Record<string, CallForm>> = {
  function_call: {
    input: "arguments",
    format: "json",
    isApplication: true,
    hasCallId: true,
    result: { item: "function_call_output" },
  },
  custom_tool_call: {
    input: "input",
    format: "text",
    isApplication: true,
    hasCallId: true,
    result: { item: "custom_tool_call_output" },
  },
  computer_call: {
    tool: "computer",
    input: ["action", "actions", "pending_safety_checks"],
    isApplication: true,
    hasCallId: true,
    result: { item: "computer_call_output" },
  },
  local_shell_call: {
    tool: "local_shell",
    input: "action",
    isApplication: true,
    hasCallId: true,
    result: { item: "local_shell_call_output" },
  },
  shell_call: {
    tool: "shell",
    input: "action",
    isApplication: isLocal,
    hasCallId: true,
    result: { item: "shell_call_output" },
  },
  apply_patch_call: {
    tool: "apply_patch",
    input: "operation",
    isApplication: true,
    hasCallId: true,
    result: { item: "apply_patch_call_output" },
  },
  tool_search_call: {
    tool: "tool_search",
    input: "arguments",
    isApplication: ({ execution }) => execution === "client",
    hasCallId: true,
    result: { item: "tool_search_output" },
  },
  program: {
    tool: "program",
    input: "code",
    format: "text",
    hasCallId: true,
    result: { item: "program_output" },
  },
  web_search_call: { tool: "web_search", input: "action" },
  file_search_call: { tool: "file_search", input: ["queries"], result: { field: "results" } },
  code_interpreter_call: {
    tool: "code_interpreter",
    input: "code",
    format: "text",
    result: { field: "outputs" },
  },
  // The image is a file.
  image_generation_call: {
    tool: "image_generation",
    input: ["revised_prompt", "action", "size", "quality", "background", "output_format"],
  },
  mcp_call: { input: "arguments", format: "json", result: { field: "output" } },
  mcp_list_tools: { tool: "mcp_list_tools", input: ["server_label"], result: { field: "tools" } },
  mcp_approval_request: { input: "arguments", format: "json" },
};

/** The items with the result of a call, and the field of each. */
const outputFields: Readonly<Record<string, string>> = {
  function_call_output: "output",
  custom_tool_call_output: "output",
  computer_call_output: "output",
  local_shell_call_output: "output",
  shell_call_output: "output",
  apply_patch_call_output: "output",
  tool_search_output: "tools",
  program_output: "result",
};

const toJSON = (value: unknown): string => JSON.stringify(value) ?? "null";

const own = <Value>(values: Readonly<Record<string, Value>>, name: unknown): Value | undefined =>
  typeof name === "string" && Object.hasOwn(values, name) ? values[name] : undefined;

/** A call, as its item has it. */
export interface ItemCall {
  toolCallId: string;
  tool: string;
  inputFormat: "text" | undefined;
  /** The application runs the tool; otherwise OpenAI does. */
  isApplication: boolean;
  /** The tool is one of an MCP server. */
  isDynamic: boolean;
  /** What OpenAI wants back. */
  rest: Record<string, unknown>;
}

/** Whether this version knows what an item is, also if it has nothing to show. */
export const isKnownItem = ({ type }: Item): boolean =>
  own(callForms, type) !== undefined ||
  own(outputFields, type) !== undefined ||
  type === "mcp_approval_response" ||
  type === "additional_tools";

/** @returns undefined for an item that is not a call. */
export function callOf(item: Item): ItemCall | undefined {
  const form = own(callForms, item.type);
  if (form === undefined) return undefined;
  const { tool = String(item.name), format, isApplication = false } = form;
  const toolCallId = String(item.approval_request_id ?? item.call_id ?? item.id);
  return {
    toolCallId,
    tool,
    inputFormat: format === "text" ? "text" : undefined,
    isApplication: typeof isApplication === "function" ? isApplication(item) : isApplication,
    isDynamic: item.type === "mcp_call" || item.type === "mcp_approval_request",
    rest: restOf(item, form, toolCallId),
  };
}

/** @returns undefined if the model wrote an input that is not JSON. */
export function inputOf(item: Item): { input: unknown } | undefined {
  const { input, format } = callForms[item.type]!;
  if (typeof input !== "string") return { input: pick(item, input) };
  const value = item.type === "web_search_call" ? withoutSources(item) : item[input];
  return format === "json" ? parseToolInput(String(value ?? "")) : { input: value ?? null };
}

/** @returns what a tool of OpenAI's has returned; undefined if that is in another item. */
export function contentOf(item: Item): { content: unknown } | undefined {
  const { result } = callForms[item.type]!;
  if (result === undefined) return { content: sourcesOf(item) ?? { status: item.status } };
  if ("item" in result) return undefined;
  // Results that the request did not ask for.
  return { content: item[result.field] ?? (item.status === undefined ? null : { status: item.status }) };
}

/** The pages that a search has found are its result. */
const sourcesOf = ({ action }: Item) => (action as { sources?: unknown } | null | undefined)?.sources;

function withoutSources({ action }: Item): unknown {
  if (typeof action !== "object" || action === null) return action;
  const { sources, ...rest } = action as { sources?: unknown };
  return rest;
}

function restOf(item: Item, { tool, input, format, result }: CallForm, toolCallId: string) {
  // OpenAI refuses in a request what names the author of an item.
  const { call_id, created_by, ...fields } = item as Record<string, unknown>;
  if (call_id !== undefined && call_id !== toolCallId) fields.call_id = call_id;
  if (tool === undefined) delete fields.name;
  if (result && "field" in result) delete fields[result.field];
  if (item.type === "image_generation_call") delete fields.result;
  for (const field of [input].flat()) delete fields[field];
  // The same JSON may be written in several ways, and a cached prompt has only one of them.
  if (format === "json" && typeof item.arguments === "string") {
    const parsed = parseToolInput(item.arguments);
    if (!parsed || JSON.stringify(parsed.input) !== item.arguments) fields.arguments = item.arguments;
  }
  return fields;
}

/** The result of a call, from an item of its own. */
export interface ItemResult {
  /** Undefined for a tool search that OpenAI has run: it answers the latest. */
  toolCallId: string | undefined;
  content: unknown;
  /** What OpenAI wants back. */
  rest: Record<string, unknown>;
}

/** @returns undefined for an item that is not the output of a call. */
export function resultOfItem(item: Item): ItemResult | undefined {
  const field = own(outputFields, item.type);
  if (field === undefined) return undefined;
  const { [field]: content = null, call_id, created_by, ...rest } = item;
  const id = item.type === "local_shell_call_output" ? item.id : call_id;
  const hasId = typeof id === "string";
  return { toolCallId: hasId ? id : undefined, content, rest: hasId ? rest : { ...rest, call_id: null } };
}

/**
 * Rebuilds the item of a call. Its fields come from a client: only the kinds of items in this file are built, whatever it
 * wrote.
 *
 * @param rest - What OpenAI wants back with the call.
 * @returns undefined for a call of another provider's tool.
 */
export function toCallItem(part: ToolCallMessagePart, rest: Record<string, unknown>): Item | undefined {
  const type = typeOf(part, rest);
  if (type === undefined) return undefined;
  const { tool, input, hasCallId, result } = callForms[type]!;
  const { arguments: text, ...fields } = type === rest.type ? rest : {};
  const item: Record<string, unknown> = { ...fields };
  if (tool === undefined) item.name = part.tool;
  if (hasCallId) item.call_id = fields.call_id === null ? null : part.toolCallId;
  if (typeof input !== "string") Object.assign(item, pick(Object(part.input), input));
  else item[input] = toField(part, callForms[type]!, text);
  if (result && "field" in result) item[result.field] = toResultField(part.content);
  if (type === "web_search_call" && Array.isArray(part.content)) {
    item.action = { ...Object(part.input), sources: part.content };
  }
  return { ...item, type };
}

function typeOf({ executor, inputFormat }: ToolCallMessagePart, { type }: Record<string, unknown>) {
  if (own(callForms, type) !== undefined) return type as string;
  if (executor === "provider") return undefined;
  return inputFormat === "text" ? "custom_tool_call" : "function_call";
}

function toField({ input, state }: ToolCallMessagePart, form: CallForm, text: unknown): unknown {
  const { format, isApplication } = form;
  // The code of OpenAI's own tools may be absent.
  const isText = typeof input === "string" || (input === null && !isApplication);
  if (format === "text") return isText ? input : toJSON(input);
  if (format === undefined) return input;
  // What the model wrote was no JSON.
  if (state === "error" && typeof input === "string") return input;
  const isSame =
    typeof text === "string" && JSON.stringify(parseToolInput(text)?.input) === JSON.stringify(input);
  return isSame ? text : toJSON(input ?? {});
}

/** A status stands for results that the request did not ask for. */
const toResultField = (content: unknown): unknown =>
  typeof content === "string" || Array.isArray(content) ? content : null;

/** @returns the name of the item that answers a call of this item; undefined where it has its result itself. */
export function outputTypeOf({ type }: Item): string | undefined {
  const result = own(callForms, type)?.result;
  return result && "item" in result ? result.item : undefined;
}

/** Rebuilds the item with a result, as {@link resultOfItem} has read it. */
export function toResultItem(
  type: string,
  call: Item,
  content: unknown,
  rest: Record<string, unknown>,
): Item {
  const id = type === "local_shell_call_output" ? { id: call.call_id } : { call_id: call.call_id };
  return { ...rest, ...id, [outputFields[type]!]: content, type };
}

function pick(item: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  const found = names.filter((name) => item[name] !== undefined).map((name) => [name, item[name]]);
  return Object.fromEntries(found);
}
