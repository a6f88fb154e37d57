/** The tables after the first one: a description of each workload, and the measures shown. */

export interface Section {
  workload: string;
  title: string;
  /** The implementation that the others are compared with, by the first measure. */
  base: string;
  measures: string[];
  text: string;
}

/** The headings of measures. */
export const measureTitles: Record<string, string> = {
  ns: "ns per chunk",
  ratio: "× without us",
  bareNs: "without us, ns",
  ownRatio: "× our own wire",
  ownNs: "our own wire, ns",
  bytes: "bytes per chunk",
  chunksPerPiece: "chunks per piece",
  ms: "ms",
  growth: "× 4 MiB",
  cpuUs: "server CPU, µs per chunk",
  firstP50Ms: "first chunk p50, ms",
  firstP99Ms: "first chunk p99, ms",
  heapKB: "KB per stream",
  leftKB: "KB remaining per stream",
  us: "µs per delta",
  perFrame: "notifications per 16 ms",
  firstTokenExtraMs: "first durable token minus the plain one, ms",
  appendUs: "append at 50 tokens/s × 200 runs, µs per chunk",
  batchUs: "append in batches of 32, µs per chunk",
  replayUs: "replay, µs per chunk",
  followerUs: "100 followers, µs per chunk and follower",
};

const text = "Text deltas of 4 to 8 characters, 2,000 in a stream.";
const agent =
  "The stream of an agent with a tool: every chunk names its node. Of every 40 chunks, 29 are pieces of Markdown with an `id`, seven are a status and a tool call, and four are pieces of text in a structured object; 2,000 in a stream.";
const mixed =
  "Of every 20 chunks, 12 are text deltas, half of them in other scripts, six are a tool call, and two are structured objects of 1 to 4 KB; 500 in a stream.";
const cold = "CPU time of a fresh process in all its threads, four per round, with the published files.";
const validation =
  "Pieces of 16 KiB through our chunk decoder, without streams; unvalidated is our SSE decoder with a bare `JSON.parse`.";
const adapted =
  "60 pieces of reasoning, 300 of text and six tool calls of 20 pieces each. Both sides in turns in one process.";
const runs = "CPU of our process only. SQLite in a temporary file; Redis over TCP on the same machine.";

/** Workload, title, base, measures, text. */
export const sections: Section[] = `
encode text sync | Encoding, synchronous source | limit | ns bytes chunksPerPiece | ${text} An async generator that never waits.
encode text burst16 | Encoding, bursts of 16 | limit | ns bytes chunksPerPiece | ${text} 16 per macrotask.
encode text alone | Encoding, one chunk per macrotask | limit | ns bytes chunksPerPiece | ${text}
encode mixed burst16 | Encoding, mixed, bursts of 16 | limit | ns bytes chunksPerPiece | ${mixed}
encode agent burst16 | Encoding, an agent's stream, bursts of 16 | limit | ns bytes chunksPerPiece | ${agent}
encode agent alone | Encoding, an agent's stream, one chunk per macrotask | limit | ns bytes chunksPerPiece | ${agent}
decode text 16384 | Reading, 16 KiB pieces | limit | ns | ${text}
decode text frame | Reading, one frame per read | limit | ns | ${text}
decode text 7 | Reading, 7-byte pieces | limit | ns | ${text}
decode mixed 16384 | Reading, mixed, 16 KiB pieces | limit | ns | ${mixed}
decode agent 16384 | Reading, an agent's stream, 16 KiB pieces | limit | ns | ${agent}
decode agent frame | Reading, an agent's stream, one frame per read | limit | ns | ${agent}
validate text | Validating | kortyx/unchecked | ns | ${text} ${validation}
validate mixed | Validating, mixed | kortyx/unchecked | ns | ${mixed} ${validation}
big-event | One event of 8 MiB in 1 KiB pieces | eventsource-parser | ms growth | × 4 MiB is the ratio to the time for an event of half the size: 2 is linear, 4 is quadratic.
http full | HTTP, one client at full speed | limit/node | cpuUs | 10,000 text deltas with an \`id\`, in bursts of 16. All CPU time of the server's process; the client runs in another.
http paced | HTTP, 500 paced clients | limit/node | cpuUs firstP50Ms firstP99Ms | A chunk every 50 ms to each client. The first chunks are those of 500 requests sent at the same moment.
http idle | HTTP, 2,000 idle streams | limit/node | heapKB leftKB | Heap of the server after a garbage collection, with heartbeats where supported; and the heap that remains when all clients have disconnected.
cold import | Cold start: import | zod | ms | ${cold} The server only.
cold answer | Cold start: the first answer | kortyx | ms | ${cold} Import, the first request parsed as in the documentation of each, and an answer of four pieces read to its end.
cold read | Cold start: the first 1,000 chunks | kortyx | ms | ${cold} Import, and the first 1,000 text deltas read from pieces of 1 KiB.
chat 10000 | A message from 10,000 deltas | kortyx/chat | us perFrame | The cost with 64 deltas per macrotask, minus the cost of iterating the same source; the notifications with 64 deltas per millisecond. \`createChat\` notifies its subscriber once per frame, the others at every delta.
adapter in | Adapters: an SDK's stream as chunks | | ratio ns bareNs | ${adapted} Without us, the SDK's stream is iterated. A response in pieces of 16 KiB from a \`fetch\` without a socket; the graph runs in the process. Per event of the provider.
adapter out | Adapters: chunks as the events of another protocol | | ratio ns bareNs | ${adapted} Without us, the AI SDK writes its events from parts of its own, and AG-UI's encoder prints events that are ready-made; both from a source that never waits.
adapter route | Adapters: a whole answer in another wire | | ratio ns bareNs ownRatio ownNs | ${adapted} A request, and its answer in bursts of 16, read to its end. Without us, a route of the AI SDK, and one that prints ready-made events with AG-UI's encoder. Our own wire is the same route's.
runs memory | Runs: memory | | firstTokenExtraMs appendUs batchUs replayUs followerUs | ${runs}
runs sqlite | Runs: SQLite | | firstTokenExtraMs appendUs batchUs replayUs followerUs | ${runs}
runs redis | Runs: Redis | | firstTokenExtraMs appendUs batchUs replayUs followerUs | ${runs}
`
  .trim()
  .split("\n")
  .map((line) => {
    const [workload = "", title = "", base = "", measures = "", about = ""] = line
      .split("|")
      .map((cell) => cell.trim());
    return { workload, title, base, measures: measures.split(" "), text: about };
  });
