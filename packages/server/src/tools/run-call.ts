/**
 * One call of a tool: whether it may run, its run, and what it comes to, as chunks. A call never fails the answer: what
 * goes wrong is reported to the model. Knows nothing of other calls and of requests.
 */
import {
  type ChatMessage,
  type InterruptAnswer,
  type InterruptOption,
  type StreamChunk,
  stringifyChunk,
  toChunk,
} from "@kortyx/protocol";
import type { ModelToolCall } from "../adapters/model-stream.ts";
import type { SchemaIssue } from "../route/standard-schema.ts";
import { closeIterator } from "../stream/source.ts";
import type { Tool, Tools } from "./define-tool.ts";

/** Chooses the text that user and model read when a tool has failed; undefined for a generic one. */
export type OnToolError = (error: unknown, call: ModelToolCall) => string | undefined;

/** What all calls of a request share. */
export interface CallContext {
  tools: Tools;
  /** The names of the tools that the client offers, without those of `tools`. */
  offered: ReadonlySet<string>;
  signal: AbortSignal;
  /** The conversation so far. */
  messages: ChatMessage[];
  onToolError: OnToolError | undefined;
}

/** What a call has come to: it is over, or waits for a person or the client. */
export type CallOutcome = "over" | "awaits-approval" | "awaits-client";

type CallStream = AsyncGenerator<StreamChunk, CallOutcome, void>;

/** @returns undefined for a tool that the server does not know. */
export const findTool = (tools: Tools, name: string): Tool | undefined =>
  Object.hasOwn(tools, name) ? tools[name] : undefined;

/**
 * A call that the model has just made.
 *
 * @param isAmbiguous - Another call has the same id: an answer could be meant for either.
 */
export const beginCall = (call: ModelToolCall, isAmbiguous: boolean, context: CallContext): CallStream =>
  reported(call, context, async function* () {
    const tool = findTool(context.tools, call.tool);
    if (tool === undefined) {
      if (context.offered.has(call.tool)) return "awaits-client";
      yield unknownTool(call);
      return "over";
    }
    const read = await readInput(tool, call.input);
    if (read.issues) {
      yield invalidInput(call, read.issues);
      return "over";
    }
    if (await needsApproval(tool, read.value)) {
      if (isAmbiguous) {
        yield toError(call, "The call has no id of its own, so it cannot be approved.", "ambiguous-call");
        return "over";
      }
      yield toQuestion(tool, call, read.value);
      return "awaits-approval";
    }
    return yield* runTool(tool, call, read.value, context);
  });

/** A call that was asked about, and its answer, which is known to be for this call. */
export const answerCall = (call: ModelToolCall, answer: InterruptAnswer, context: CallContext): CallStream =>
  reported(call, context, async function* () {
    const tool = findTool(context.tools, call.tool);
    const resolved = resolve(answer, tool?.canEdit === true);
    if (resolved === undefined) return "awaits-approval";
    yield resolved.chunk;
    const { decision } = resolved;
    const { reason } = answer;
    const { toolCallId, tool: name } = call;
    if (decision === "deny") {
      yield { type: "tool-call-denied", toolCallId, tool: name, ...(reason !== undefined && { reason }) };
      return "over";
    }
    if (tool === undefined) {
      yield unknownTool(call);
      return "over";
    }
    const isEdited = decision === "edit";
    const input = isEdited ? (answer.input ?? null) : call.input;
    const executor = tool.run ? undefined : "client";
    if (isEdited || executor) {
      yield { type: "tool-call-ready", toolCallId, tool: name, input, ...(executor && { executor }) };
    }
    const read = await readInput(tool, input);
    if (!read.issues) return yield* runTool(tool, call, read.value, context);
    yield invalidInput({ ...call, input }, read.issues);
    return "over";
  });

/** @returns undefined for an answer that a question about a call does not offer: it stays open. */
export function resolve(
  { requestId, outcome = "answered", answer, reason }: InterruptAnswer,
  canEdit: boolean,
): { decision: "approve" | "edit" | "deny"; chunk: StreamChunk } | undefined {
  const isCancelled = outcome === "cancelled";
  const [choice, ...others] = [answer].flat();
  const decision = isCancelled ? "deny" : choice;
  if (others.length > 0 && !isCancelled) return undefined;
  if (decision !== "approve" && decision !== "deny" && !(decision === "edit" && canEdit)) return undefined;
  const chunk: StreamChunk = {
    type: "interrupt-resolved",
    requestId,
    outcome,
    ...(!isCancelled && { answer: decision }),
    ...(reason !== undefined && { reason }),
  };
  return { decision, chunk };
}

/** Reports what a call throws as its failure, unless nothing is wanted any more. */
async function* reported(call: ModelToolCall, context: CallContext, run: () => CallStream): CallStream {
  try {
    return yield* run();
  } catch (error) {
    context.signal.throwIfAborted();
    yield toError(call, describeFailure(error, call, context), "tool-failed");
    return "over";
  }
}

function describeFailure(error: unknown, call: ModelToolCall, { onToolError }: CallContext): string {
  let failure = error;
  try {
    const text: unknown = onToolError?.(error, call);
    if (typeof text === "string") return text;
  } catch (thrown) {
    failure = new AggregateError([error, thrown], "A tool failed, and so did onToolError.");
  }
  console.error(`The tool ${JSON.stringify(call.tool)} failed (call ${call.toolCallId}):`, failure);
  return "The tool failed.";
}

async function* runTool(tool: Tool, call: ModelToolCall, input: unknown, context: CallContext): CallStream {
  if (tool.run === undefined) return "awaits-client";
  const { signal, messages } = context;
  const { toolCallId, tool: name } = call;
  signal.throwIfAborted();
  // A function may also return a promise of a generator.
  const given: unknown = await tool.run(input, { toolCallId, signal, messages });
  const toReport = (type: "tool-call-progress" | "tool-call-result", content: unknown) =>
    toJSONChunk({ type, toolCallId, tool: name, content });
  if (!isAsyncGenerator(given)) {
    yield toReport("tool-call-result", given);
    return "over";
  }
  try {
    for (;;) {
      const { done, value } = await given.next();
      yield toReport(done ? "tool-call-result" : "tool-call-progress", value);
      if (done) return "over";
    }
  } finally {
    closeIterator(given);
  }
}

const isAsyncGenerator = (value: unknown): value is AsyncGenerator<unknown, unknown, void> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value && "next" in value;

/**
 * A copy, as a client reads it: a tool may yield one object again and again, and change it.
 *
 * @throws an error if the content is not JSON: then the tool has failed, and not the stream.
 */
const toJSONChunk = (value: object): StreamChunk => JSON.parse(stringifyChunk(toChunk(value)));

type ReadInput = { value: unknown; issues?: undefined } | { issues: readonly SchemaIssue[] };

/** Reads a copy, which the tool may change: the message keeps what the model has sent. */
async function readInput({ inputSchema }: Tool, input: unknown): Promise<ReadInput> {
  const value = structuredClone(input);
  return inputSchema ? inputSchema["~standard"].validate(value) : { value };
}

const needsApproval = async ({ needsApproval: rule = false }: Tool, input: unknown): Promise<boolean> =>
  // Anything but a clear no asks.
  typeof rule === "function" ? (await rule(input)) !== false : rule;

function toQuestion(tool: Tool, { toolCallId, tool: name }: ModelToolCall, input: unknown): StreamChunk {
  const options: InterruptOption[] = [
    { id: "approve", label: "Approve" },
    ...(tool.canEdit ? [{ id: "edit", label: "Edit" }] : []),
    { id: "deny", label: "Deny" },
  ];
  const question = tool.approvalQuestion?.(input) ?? `Run ${JSON.stringify(tool.title ?? name)}?`;
  return {
    type: "interrupt",
    requestId: crypto.randomUUID(),
    // The route signs it. Nothing reads it: the answer has the call's id.
    resumeToken: toolCallId,
    toolCallId,
    reason: "tool-approval",
    input: { kind: "choice", multiple: false, question, options },
  };
}

const toError = ({ toolCallId, tool }: ModelToolCall, message: string, code: string): StreamChunk => ({
  type: "tool-call-error",
  toolCallId,
  tool,
  message,
  code,
});

const unknownTool = (call: ModelToolCall): StreamChunk =>
  toError(call, `There is no tool ${JSON.stringify(call.tool)}.`, "unknown-tool");

/** How many issues of an input a model gets. */
const maxIssues = 10;

const invalidInput = (call: ModelToolCall, issues: readonly SchemaIssue[]): StreamChunk => ({
  type: "tool-call-error",
  toolCallId: call.toolCallId,
  tool: call.tool,
  message: `The input is invalid. ${issues.slice(0, maxIssues).map(describeIssue).join("; ")}`,
  code: "invalid-input",
  input: call.input,
});

function describeIssue({ message, path = [] }: SchemaIssue): string {
  const names = path.map((step) => String(typeof step === "object" ? step.key : step));
  return names.length > 0 ? `${names.join(".")}: ${message}` : message;
}
