/** Runs of AG-UI agents as chunks. What each event becomes is in `ag-ui-reader.ts`; here is how a run ends. */
import type { ChatTypes, StreamChunk } from "@kortyx/protocol";
import { type AGUIOptions, type AGUISource, type AGUISourceEvent, stringOf } from "./ag-ui-events.ts";
import { toQuestions } from "./ag-ui-questions.ts";
import { AGUIReader, toUsage } from "./ag-ui-reader.ts";
import { openSource } from "./ag-ui-source.ts";
import { isRecord } from "./loose-values.ts";
import { addUsage, checkEnd, type ModelStream, type ModelTurn, readEvents, toDone } from "./model-stream.ts";

type Fields = Record<string, unknown>;

/**
 * The run of an AG-UI agent as chunks. Pass the promise of `fetch`, without `await`: its `signal` is what stops the agent.
 * The state is a structured object of the type `state`, an activity one of its own type, and a custom event is `data`.
 *
 * What fails is thrown: a `RUN_ERROR`, a patch that does not fit, the reason of an aborted signal, and
 * `StreamTruncatedError` if the run has no end. Memory grows with the number of messages and calls, and with the size of
 * state and activities.
 *
 * @example
 * ```ts
 * async function* run(): AsyncGenerator<AGUISourceEvent> {
 *   yield { type: "RUN_STARTED", threadId: "t1", runId: "r1" };
 *   yield { type: "TEXT_MESSAGE_CHUNK", messageId: "m1", delta: "Hello" };
 *   yield { type: "RUN_FINISHED", threadId: "t1", runId: "r1" };
 * }
 * await toSSE(fromAGUI(run())).text();
 * ```
 */
export function fromAGUI<Types extends ChatTypes = ChatTypes>(
  run: AGUISource,
  options?: AGUIOptions,
): ModelStream<Types>;
export function fromAGUI(run: AGUISource, options: AGUIOptions = {}): ModelStream {
  const { signal } = options;
  return toChunks(readEvents(openSource<AGUISourceEvent>(run, signal), signal, takes), options);
}

const takes = "fromAGUI takes the response of an agent, or the events of its run";

async function* toChunks(events: AsyncIterable<AGUISourceEvent>, options: AGUIOptions): ModelStream {
  const { signal, terminal = true, onUnknown } = options;
  const reader = new AGUIReader(options);
  let end: Fields | undefined;
  for await (const event of events) {
    if (event.type === "RUN_ERROR") throw toError(event);
    if (event.type === "RUN_FINISHED") {
      yield* reader.endChunk();
      end = event;
      break;
    }
    const chunks = reader.read(event);
    if (chunks === undefined) onUnknown?.(event);
    else yield* chunks;
  }
  checkEnd("AG-UI", end !== undefined, signal);
  return yield* finish(end!, reader, terminal);
}

function* finish(
  { outcome, result, usage: given }: Fields,
  reader: AGUIReader,
  terminal: boolean,
): Generator<StreamChunk, ModelTurn, void> {
  const { type = "success", interrupts, pendingToolCallIds } = isRecord(outcome) ? outcome : {};
  const models = toUsage(given);
  const usage = models
    .map(({ provider, model, ...counts }) => counts)
    .reduce<ModelTurn["usage"]>((sum, counts) => addUsage(sum, counts), undefined);
  const questions = type === "interrupt" ? toQuestions(interrupts) : [];
  yield* questions;
  const toolCalls = type === "success" ? reader.pendingCalls(pendingToolCallIds) : [];
  const turn: ModelTurn = {
    finishReason: questions.length > 0 ? "interrupt" : toolCalls.length > 0 ? "tool-calls" : "stop",
    usage,
    usageByModel: models.length > 0 ? models : undefined,
    model: models[0]?.model,
    toolCalls,
  };
  // Also in a turn of a loop, which must not take it for complete.
  if (type === "cancelled") yield { type: "abort", reason: "stopped" };
  else if (terminal) {
    const pending = toolCalls.map(({ toolCallId }) => toolCallId);
    yield {
      ...toDone(turn),
      ...(result !== undefined && result !== null && { data: result }),
      ...(pending.length > 0 && { pendingToolCallIds: pending }),
    } as StreamChunk;
  }
  return turn;
}

/** Its message may quote what a client must not see: the route masks it, as anything that is thrown. */
function toError({ message, code }: Fields): Error {
  const error = new Error(stringOf(message) ?? "The AG-UI agent has failed.");
  return Object.assign(error, { name: "AGUIRunError", ...(typeof code === "string" && { code }) });
}
