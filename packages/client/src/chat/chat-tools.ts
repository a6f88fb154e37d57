/**
 * The tools that run in this page: what an application declares, and the calls that were started. Knows nothing of the
 * conversation, and sends nothing.
 */
import type {
  AssistantMessage,
  ChatTypes,
  ClientTool,
  ClientToolResult,
  ToolCallPart,
  ToolInput,
  ToolOutput,
} from "@kortyx/protocol";
import { toError } from "../stream/errors.ts";

/** A tool that runs in this page. */
export interface ChatTool<Input = unknown, Output = unknown> {
  /** For the model. Only a tool with a description is offered to the agent, in `tools` of each request. */
  description?: string | undefined;
  /** JSON Schema of the input, offered with the description. */
  inputSchema?: Record<string, unknown> | undefined;
  /**
   * Runs a call. What it returns is sent to the agent as JSON, and so is the message of an error that it throws.
   *
   * @param input - As the agent wrote it, unchecked.
   */
  execute(input: Input, options: ChatToolOptions): Output | Promise<Output>;
}

/** What a tool of a page receives with its input. */
export interface ChatToolOptions {
  /** The call. */
  toolCallId: string;
  /**
   * Aborted when the chat is stopped or closed, or the conversation continues without the result, which is then ignored.
   */
  signal: AbortSignal;
}

/** The tools of a page, by name. */
export type ChatTools<Types extends ChatTypes = ChatTypes> = {
  readonly [Tool in Extract<keyof NonNullable<Types["tools"]>, string>]?:
    | ChatTool<ToolInput<Types, Tool>, ToolOutput<Types, Tool>>
    | undefined;
};

/** @returns the tools to offer to the agent; undefined without any. */
export function toOfferedTools(tools: ChatTools | undefined): ClientTool[] | undefined {
  const offered = Object.entries(tools ?? {}).flatMap(([name, tool]): ClientTool[] => {
    const { description, inputSchema } = tool ?? {};
    return description === undefined ? [] : [{ name, description, ...(inputSchema && { inputSchema }) }];
  });
  return offered.length > 0 ? offered : undefined;
}

/** @returns the calls that wait for a tool of the client. */
export const findClientCalls = ({ parts }: Pick<AssistantMessage, "parts">): ToolCallPart[] =>
  parts.filter((part): part is ToolCallPart => part.type === "tool-call" && part.state === "awaiting-client");

interface ToolRun {
  readonly signal: AbortSignal;
  /** Resolves when there is a result, or the signal is aborted. */
  ended: Promise<void>;
  result?: ClientToolResult;
  isSent: boolean;
}

/** The calls of one message that were started here. */
export class ToolRuns {
  /** By `toolCallId`: an aborted run stays, so that nothing but the user starts it again. */
  readonly #runs = new Map<string, ToolRun>();
  #abort = new AbortController();

  /**
   * Starts each call whose tool is known, once.
   *
   * @param calls - All calls of the message that wait for the client; others are forgotten.
   * @returns a promise that resolves when all have ended or were aborted.
   */
  async run(calls: readonly ToolCallPart[], tools: ChatTools = {}): Promise<void> {
    for (const id of this.#runs.keys()) {
      if (!calls.some(({ toolCallId }) => toolCallId === id)) this.#runs.delete(id);
    }
    for (const call of calls) {
      const tool = Object.hasOwn(tools, call.tool) ? tools[call.tool] : undefined;
      if (tool && !this.#runs.has(call.toolCallId)) this.#start(call, tool);
    }
    await Promise.all(Array.from(this.#runs.values(), ({ ended }) => ended));
  }

  /** Leaves calls that have not been started here to the user: another tab may be running them. */
  hold(calls: readonly ToolCallPart[]): void {
    const held = { signal: AbortSignal.abort(), ended: Promise.resolve(), isSent: false };
    for (const { toolCallId } of calls) {
      if (!this.#runs.has(toolCallId)) this.#runs.set(toolCallId, { ...held });
    }
  }

  /** @returns the results of all calls; undefined if one has none, or all were sent. */
  take(calls: readonly ToolCallPart[]): ClientToolResult[] | undefined {
    const runs = calls.map(({ toolCallId }) => this.#runs.get(toolCallId));
    if (!runs.every((run) => run?.result) || !runs.some((run) => !run!.isSent)) return undefined;
    return Array.from(new Set(runs), (run) => {
      run!.isSent = true;
      return run!.result!;
    });
  }

  /** Ends what is running. */
  abort(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  /** Allows aborted calls to start again, and results to be sent again. */
  retry(): void {
    for (const [id, run] of this.#runs) {
      run.isSent = false;
      if (!run.result && run.signal.aborted) this.#runs.delete(id);
    }
  }

  #start({ toolCallId, tool: name, input, resumeToken }: ToolCallPart, tool: ChatTool): void {
    const { signal } = this.#abort;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const run: ToolRun = { signal, ended, isSent: false };
    this.#runs.set(toolCallId, run);
    signal.addEventListener("abort", () => resolve());
    const execute = async (): Promise<Partial<ClientToolResult>> => {
      try {
        return { content: (await tool.execute(input, { toolCallId, signal })) ?? null };
      } catch (thrown) {
        return { errorMessage: toError(thrown).message };
      }
    };
    void execute().then((outcome) => {
      if (signal.aborted) return;
      run.result = { toolCallId, tool: name, ...(resumeToken !== undefined && { resumeToken }), ...outcome };
      resolve();
    });
  }
}
