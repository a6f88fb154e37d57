/**
 * Streams of LangGraph, of a graph in this process or of a server, as chunks. Each mode has a function here; what messages,
 * calls and questions become is in the files next to this one.
 */
import {
  type ChatTypes,
  type InterruptAnswer,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { type LangGraphEvent, type ReadEvent, readEvent } from "./langgraph-events.ts";
import { fail, GraphReader } from "./langgraph-reader.ts";
import { listOf, recordOf } from "./loose-values.ts";
import { type AdapterOptions, type ModelStream, readEvents, toDone } from "./model-stream.ts";

/** A run of a LangGraph server. */
export interface LangGraphRun {
  /** The id of the run. */
  runId: string;
  /** The thread that it runs on. */
  threadId: string;
}

/** Where an item of a stream comes from. */
export interface LangGraphOrigin {
  /** The names of the subgraphs, outermost first: `"research/draft"`. Absent in the graph itself. */
  node?: string | undefined;
}

/** Options of {@link fromLangGraph}. */
export interface LangGraphOptions extends AdapterOptions {
  /**
   * The answers that the request brought. The stream then begins with what became of each question, and what the graph
   * repeats of the earlier answer is left out.
   */
  resumes?: readonly InterruptAnswer[] | undefined;
  /**
   * Called at the end of a server's stream that has no `end` event. The wire has no other sign of a complete answer: a
   * connection that a proxy ends looks the same. `false` throws `StreamTruncatedError`, and so does a stream that does not
   * name its run: leave the option out for a graph in this process.
   */
  isComplete?: ((run: LangGraphRun) => boolean | PromiseLike<boolean>) | undefined;
  /**
   * Turns what a node writes in the `custom` mode into chunks. Without it, messages of LangGraph's generative UI become
   * `data` of their name and id, and everything else a `data` named `"custom"`, which is `transient`.
   */
  custom?:
    | ((data: unknown, origin: LangGraphOrigin) => StreamChunk | readonly StreamChunk[] | undefined)
    | undefined;
  /** The names of the tools that run in the page: the graph ends with their calls. */
  clientTools?: readonly string[] | undefined;
  /**
   * `"updates"` for streams without a `messages` mode: texts then come whole. Such a stream needs the mode `values`, too,
   * whose first item shows which messages the thread already has.
   *
   * @defaultValue "messages"
   */
  textsFrom?: "messages" | "updates" | undefined;
}

/**
 * The stream of a graph as chunks. Pass what `graph.stream()` of LangGraph or `client.runs.stream()` of its SDK returns,
 * with the modes `messages` (of the SDK: `messages-tuple`), `updates` and `custom`; `tools`, `values` and `checkpoints` are
 * read, too.
 *
 * What fails is thrown: errors of the graph, the `error` event of a server, the reason of an aborted signal, and
 * `StreamTruncatedError` if `isComplete` returns false. The SDK aborts its request only through the `signal` in its own
 * options. Memory grows with the number of messages and calls, not with the length of texts.
 *
 * @example
 * ```ts
 * async function* run(): AsyncGenerator<LangGraphEvent> {
 *   yield ["messages", [{ type: "AIMessageChunk", id: "1", content: "Hello" }, { langgraph_node: "agent" }]];
 * }
 * await toSSE(fromLangGraph(run())).text();
 * ```
 */
export function fromLangGraph<Types extends ChatTypes = ChatTypes>(
  stream: AsyncIterable<LangGraphEvent> | PromiseLike<AsyncIterable<LangGraphEvent>>,
  options?: LangGraphOptions,
): ModelStream<Types>;
export function fromLangGraph(
  stream: AsyncIterable<LangGraphEvent> | PromiseLike<AsyncIterable<LangGraphEvent>>,
  options: LangGraphOptions = {},
): ModelStream {
  return toChunks(readEvents(stream, options.signal, takes), options);
}

const takes = "fromLangGraph takes the stream of a graph whose `streamMode` is a list, or that of a server";

async function* toChunks(events: AsyncIterable<LangGraphEvent>, options: LangGraphOptions): ModelStream {
  const { signal, terminal = true, onUnknown, isComplete } = options;
  const reader = new GraphReader(options);
  yield* reader.begin();
  let hasMode = false;
  for await (const item of events) {
    const event = readEvent(item);
    // With a single mode, or with none, no item has the name of its mode: the answer would be empty.
    if (event === undefined && !hasMode) throw new TypeError(`${takes}; got items without a mode.`);
    hasMode = true;
    if (event === undefined || !Object.hasOwn(modes, event.mode)) onUnknown?.(item);
    else yield* modes[event.mode]!(reader, event);
  }
  signal?.throwIfAborted();
  if (isComplete && !reader.hasEnd) {
    const isWhole = reader.run !== undefined && (await isComplete(reader.run));
    signal?.throwIfAborted();
    if (!isWhole) throw new StreamTruncatedError("The stream of LangGraph ended too early");
  }
  const turn = yield* reader.end();
  // Also in a turn of a loop, which must not take it for complete.
  if (reader.isStopped) yield { type: "abort", reason: "stopped" };
  else if (terminal) yield toDone(turn);
  return turn;
}

/** Modes that repeat others, or are made for developers. */
const skip = () => [];

const modes: Record<string, (reader: GraphReader, event: ReadEvent) => Iterable<StreamChunk>> = {
  messages: (reader, { namespace, data }) => {
    const [message, metadata] = listOf(data);
    return reader.readMessage(message, recordOf(metadata), namespace);
  },
  "messages/metadata": (reader, { data }) => reader.keepMetadata(data),
  "messages/partial": (reader, { namespace, data }) => reader.readPartial(data, namespace),
  "messages/complete": (reader, { namespace, data }) => reader.readComplete(data, namespace),
  updates: (reader, { namespace, data }) => reader.readUpdates(recordOf(data), namespace),
  values: (reader, { namespace, data }) => reader.readValues(recordOf(data), namespace),
  tasks: (reader, { namespace, data }) => reader.readTask(recordOf(data), namespace),
  custom: (reader, { namespace, data }) => reader.readCustom(data, namespace),
  tools: (reader, { namespace, data }) => reader.readTool(recordOf(data), namespace),
  checkpoints: (reader, { namespace, data }) => reader.readCheckpoint(recordOf(data), namespace),
  metadata: (reader, { data }) => reader.readRun(recordOf(data)),
  error: (_reader, { data }) => fail(data),
  end: (reader, { data }) => reader.readEnd(recordOf(data)),
  debug: skip,
  events: skip,
  lifecycle: skip,
  feedback: skip,
};
