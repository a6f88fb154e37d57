/**
 * The tools that run in this page: what an application declares, and the calls that were started. Knows nothing of the
 * conversation, and sends nothing.
 */
import type {
  AssistantUIMessage,
  ChatTypes,
  ClientTool,
  ClientToolResult,
  ToolCallPart,
  ToolInput,
  ToolOutput,
} from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";
import { toError } from "../stream/errors.ts";

/** A tool that runs in this page. */
export interface ChatTool<Input = unknown, Output = unknown> {
  /** For the model. Only a tool with a description is offered to the agent, in `tools` of each request. */
  description?: string | undefined;
  /** JSON Schema of the input, offered with the description. */
  inputSchema?: Record<string, unknown> | undefined;
  /**
   * Runs a call. What it returns is sent to the agent as JSON, and so is the message of an error that it throws, or of a
   * value that is not JSON.
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

/** A call that waits for a tool of the client. */
interface ClientCall extends ToolCallPart {
  /** Unique, other than its id: that may name another call once a call has its result. */
  readonly key: string;
}

/** @returns the calls that wait for a tool of the client. */
export function findClientCalls({ id, parts }: AssistantUIMessage): ClientCall[] {
  const counts = new Map<string, number>();
  return parts.flatMap((part) => {
    if (part.type !== "tool-call") return [];
    const { toolCallId, state } = part;
    const count = (counts.get(toolCallId) ?? 0) + 1;
    counts.set(toolCallId, count);
    return state === "awaiting-client" ? [{ ...part, key: `${id} ${count} ${toolCallId}` }] : [];
  });
}

interface ToolRun {
  readonly signal: AbortSignal;
  /** Resolves when there is a result, or the signal is aborted. */
  ended: Promise<void>;
  result?: ClientToolResult;
  isSent: boolean;
}

/** The calls of the last message that were started here. */
export class ToolRuns {
  /** By key of the call: an aborted run stays, so that nothing but the user starts it again. */
  readonly #runs = new Map<string, ToolRun>();
  #abort = new AbortController();

  /**
   * Starts each call whose tool is known, once.
   *
   * @param calls - All calls of the message that wait for the client; others are forgotten.
   * @returns a promise that resolves when all have ended or were aborted.
   */
  async run(calls: readonly ClientCall[], tools: ChatTools = {}): Promise<void> {
    for (const key of this.#runs.keys()) {
      if (!calls.some((call) => call.key === key)) this.#runs.delete(key);
    }
    for (const call of calls) {
      const tool = Object.hasOwn(tools, call.tool) ? tools[call.tool] : undefined;
      if (tool && !this.#runs.has(call.key)) this.#start(call, tool);
    }
    await Promise.all(Array.from(this.#runs.values(), ({ ended }) => ended));
  }

  /** Leaves calls that have not been started here to the user: another tab may be running them. */
  hold(calls: readonly ClientCall[]): void {
    const held = { signal: AbortSignal.abort(), ended: Promise.resolve(), isSent: false };
    for (const { key } of calls) {
      if (!this.#runs.has(key)) this.#runs.set(key, { ...held });
    }
  }

  /** @returns the results of all calls; undefined if one has none, or all were sent. */
  take(calls: readonly ClientCall[]): ClientToolResult[] | undefined {
    const runs = calls.map(({ key }) => this.#runs.get(key));
    if (!runs.every((run) => run?.result) || !runs.some((run) => !run!.isSent)) return undefined;
    return runs.map((run) => {
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
    for (const [key, run] of this.#runs) {
      run.isSent = false;
      if (!run.result && run.signal.aborted) this.#runs.delete(key);
    }
  }

  #start({ key, toolCallId, tool: name, input, resumeToken }: ClientCall, tool: ChatTool): void {
    const { signal } = this.#abort;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const run: ToolRun = { signal, ended, isSent: false };
    this.#runs.set(key, run);
    signal.addEventListener("abort", () => resolve());
    const execute = async (): Promise<Partial<ClientToolResult>> => {
      try {
        const content = (await tool.execute(input, { toolCallId, signal })) ?? null;
        // Of what JSON cannot hold, some throws here, and some would be left out of the request.
        if (JSON.stringify(content) !== undefined) return { content };
        return { errorMessage: `The tool returned ${describeKind(content)}, which is not JSON.` };
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
