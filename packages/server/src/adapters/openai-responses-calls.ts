/**
 * The calls of tools in a stream of OpenAI's Responses API, and the questions about them, as chunks. What an item of each
 * kind has is in `openai-responses-items.ts`.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { invalidToolInput, type ModelToolCall } from "./model-stream.ts";
import type {
  OpenAIPartialImageEvent,
  OpenAIShellCommandEvent,
  OpenAIShellOutputEvent,
} from "./openai-responses-events.ts";
import { callOf, contentOf, type Item, inputOf, resultOfItem } from "./openai-responses-items.ts";

/** A call in the output. */
interface OpenCall {
  toolCallId: string;
  tool: string;
  /** The number of the shell command that is being written. */
  command?: number | undefined;
}

/** What a shell has printed so far. */
interface Printed {
  commands: { stdout: string; stderr: string }[];
  length: number;
  /** The length when it was last sent. */
  sentLength: number;
}

/** Follows the calls of one response, each found by its position in the output. */
export class ResponseCalls {
  /** The calls that wait for a result, by id; without a value where the input was no JSON. */
  readonly #waiting = new Map<string, ModelToolCall | undefined>();
  readonly #byIndex = new Map<number, OpenCall>();
  readonly #printed = new Map<number, Printed>();
  /** The tool search that has not been answered: its output has no id. */
  #search: string | undefined;
  #hasQuestion = false;

  /** A question about a call is open. */
  get hasQuestion(): boolean {
    return this.#hasQuestion;
  }

  /** A call waits for its result, or has failed because its input was no JSON. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** The calls that the application has to run. */
  get toolCalls(): ModelToolCall[] {
    return [...this.#waiting.values()].filter((call) => call !== undefined);
  }

  /** An item begins. */
  add(index: number, item: Item): StreamChunk[] {
    const call = callOf(item);
    const result = call ? undefined : resultOfItem(item);
    // An output of its own reports the progress of its call.
    if (result) this.#track(index, result.toolCallId ?? this.#search ?? "");
    if (call === undefined) return [];
    const { toolCallId, tool } = call;
    this.#byIndex.set(index, { toolCallId, tool });
    if (item.type === "tool_search_call") this.#search = toolCallId;
    return [{ type: "tool-call-start", tool, toolCallId, ...fieldsOf(call) }];
  }

  /** The next piece of a call's input. */
  addInput(index: number, delta: string): StreamChunk[] {
    const call = this.#byIndex.get(index);
    return call && delta !== "" ? [{ type: "tool-call-delta", toolCallId: call.toolCallId, delta }] : [];
  }

  /** The commands of a shell, as the JSON of the input that they become. */
  addCommand(event: OpenAIShellCommandEvent): StreamChunk[] {
    const { type, output_index, command_index, command = "", delta = "" } = event;
    const call = this.#byIndex.get(output_index);
    if (!call) return [];
    const text = JSON.stringify(type === "response.shell_call_command.added" ? command : delta).slice(1, -1);
    const isNext = call.command !== command_index;
    const between = call.command === undefined ? '{"commands":["' : '","';
    call.command = command_index;
    return this.addInput(output_index, isNext ? between + text : text);
  }

  /** A tool of OpenAI's is at work. */
  addState(index: number, status: string): StreamChunk[] {
    return this.#toProgress(index, { status });
  }

  /** What a shell prints: all of it so far, once it has doubled, and at the end of each command. */
  addPrinted({ type, output_index, command_index, delta = {} }: OpenAIShellOutputEvent): StreamChunk[] {
    const printed = this.#printed.get(output_index) ?? { commands: [], length: 0, sentLength: 0 };
    this.#printed.set(output_index, printed);
    const { stdout = "", stderr = "" } = delta;
    while (printed.commands.length <= command_index) printed.commands.push({ stdout: "", stderr: "" });
    const command = printed.commands[command_index]!;
    command.stdout += stdout;
    command.stderr += stderr;
    printed.length += stdout.length + stderr.length;
    const isDue =
      type === "response.shell_call_output_content.done"
        ? printed.length > printed.sentLength
        : printed.length >= 2 * printed.sentLength;
    if (!isDue) return [];
    printed.sentLength = printed.length;
    return this.#toProgress(output_index, structuredClone(printed.commands));
  }

  /** A stage of an image. */
  addImage({ output_index, partial_image_b64, output_format }: OpenAIPartialImageEvent): StreamChunk[] {
    const call = this.#byIndex.get(output_index);
    return call ? [toImage(call.toolCallId, partial_image_b64, output_format)] : [];
  }

  /** An item is whole. */
  end(index: number, item: Item): StreamChunk[] {
    const call = callOf(item);
    if (call === undefined) return this.#endOther(item);
    // The response ended early: the call stays as it is.
    if (item.status === "incomplete") return [];
    const { toolCallId, tool } = this.#byIndex.get(index) ?? call;
    const found = inputOf(item);
    const provided = { providerMetadata: { openai: call.rest } };
    if (found === undefined) {
      if (call.isApplication) this.#waiting.set(toolCallId, undefined);
      return [
        { type: "part-metadata", toolCallId, ...provided },
        invalidToolInput(tool, toolCallId, String(item.arguments)),
      ];
    }
    const { input } = found;
    const ready: StreamChunk = {
      type: "tool-call-ready",
      tool,
      toolCallId,
      input,
      ...fieldsOf(call),
      ...provided,
    };
    if (call.isApplication) {
      this.#waiting.set(toolCallId, { toolCallId, tool, input });
      return [ready];
    }
    if (item.type === "mcp_approval_request") return [ready, this.#ask(item, tool, toolCallId)];
    return [ready, ...toResult(item, tool, toolCallId)];
  }

  #toProgress(index: number, content: unknown): StreamChunk[] {
    const { toolCallId, tool } = this.#byIndex.get(index) ?? {};
    if (toolCallId === undefined || tool === undefined) return [];
    return [{ type: "tool-call-progress", tool, toolCallId, content }];
  }

  #track(index: number, toolCallId: string): void {
    const call = [...this.#byIndex.values()].find((known) => known.toolCallId === toolCallId);
    if (call) this.#byIndex.set(index, { ...call });
  }

  #ask({ server_label }: Item, tool: string, toolCallId: string): StreamChunk {
    this.#hasQuestion = true;
    return {
      type: "interrupt",
      requestId: toolCallId,
      resumeToken: toolCallId,
      toolCallId,
      reason: "tool-approval",
      input: {
        kind: "choice",
        multiple: false,
        question: `Allow ${tool}${typeof server_label === "string" ? ` of ${server_label}` : ""}?`,
        options: [
          { id: "approve", label: "Allow" },
          { id: "deny", label: "Deny" },
        ],
      },
    };
  }

  /** The output of a call, or a decision about one. */
  #endOther(item: Item): StreamChunk[] {
    if (item.type === "mcp_approval_response") {
      const answer = item.approve === true ? "approve" : "deny";
      const requestId = String(item.approval_request_id);
      const reason = typeof item.reason === "string" ? { reason: item.reason } : {};
      return [{ type: "interrupt-resolved", requestId, outcome: "answered", answer, ...reason }];
    }
    const result = resultOfItem(item);
    if (result === undefined) return [];
    const toolCallId = result.toolCallId ?? this.#search;
    if (toolCallId === undefined) return [];
    this.#waiting.delete(toolCallId);
    const known = [...this.#byIndex.values()].find((call) => call.toolCallId === toolCallId);
    const { content, rest } = result;
    const provided = { providerMetadata: { openai: rest } };
    return [
      { type: "tool-call-result", tool: known?.tool ?? toolOf(item), toolCallId, content, ...provided },
    ];
  }
}

/** The tool of a call that an earlier response made, as far as the kind of its output names it. */
const toolOf = ({ type }: Item): string => type.replace(/(_call)?_output$/, "");

const fieldsOf = ({ isApplication, inputFormat, isDynamic }: NonNullable<ReturnType<typeof callOf>>) => ({
  ...(!isApplication && ({ executor: "provider" } as const)),
  ...(inputFormat && { inputFormat }),
  ...(isDynamic && { isDynamic }),
});

/** The result of a tool that OpenAI has run. */
function toResult(item: Item, tool: string, toolCallId: string): StreamChunk[] {
  const found = contentOf(item);
  if (found === undefined) return [];
  const { error, status, result, output_format } = item;
  if ((error !== undefined && error !== null) || status === "failed") {
    return [{ type: "tool-call-error", tool, toolCallId, ...describeFailure(error) }];
  }
  const file =
    item.type === "image_generation_call" && typeof result === "string"
      ? [
          {
            ...toImage(toolCallId, result, output_format),
            providerMetadata: { openai: { item_id: item.id } },
          },
        ]
      : [];
  return [...file, { type: "tool-call-result", tool, toolCallId, content: found.content }];
}

/** What a tool reports is its result, as the model reads it. */
function describeFailure(error: unknown): { message: string; code?: string } {
  if (typeof error === "string") return { message: error };
  const { message, content, code, type } = Object(error) as Record<string, unknown>;
  const name = code ?? type;
  return {
    message: typeof message === "string" ? message : (textOf(content) ?? "The tool failed."),
    ...((typeof name === "string" || typeof name === "number") && { code: String(name) }),
  };
}

/** The texts of an MCP result. */
function textOf(content: unknown): string | undefined {
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((block) => (Object(block) as { text?: unknown }).text);
  return texts.filter((text) => typeof text === "string").join("\n") || undefined;
}

/** Later stages replace it: they have the same id. */
function toImage(toolCallId: string, base64: string, format: unknown): StreamChunk & { type: "file" } {
  const subtype = typeof format === "string" ? format : "png";
  const mediaType = subtype === "svg" ? "image/svg+xml" : `image/${subtype}`;
  return { type: "file", id: toolCallId, toolCallId, mediaType, url: `data:${mediaType};base64,${base64}` };
}
