/** What routes of this version send: each recording is the body of a real response. The agents are scripts. */
import {
  type ChatAgent,
  type ChatRouteOptions,
  createChatRoute,
  createMemoryRunStore,
  createStructuredStreamWriter,
  defineTool,
  type ModelStream,
  type ModelTurn,
  runTools,
  type StreamChunk,
} from "@kortyx/server";

export interface Recording {
  description: string;
  body: Promise<Uint8Array> | Uint8Array;
}

const url = "http://localhost/api/chat";
const eventStream = { accept: "text/event-stream", "content-type": "application/json" };

const post = (body: object = {}): Request =>
  new Request(url, {
    method: "POST",
    headers: eventStream,
    body: JSON.stringify({ messages: [{ role: "user", content: "How is Rome?" }], ...body }),
  });

const bytesOf = async (response: Promise<Response> | Response): Promise<Uint8Array> =>
  new Uint8Array(await (await response).arrayBuffer());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A source of a stream, as an agent. */
const agentOf = (streamChat: (signal?: AbortSignal) => AsyncIterable<StreamChunk>): ChatAgent => ({
  streamChat: (_messages, options) => streamChat(options?.signal),
});

const respond = (streamChat: () => AsyncIterable<StreamChunk>, options: Partial<ChatRouteOptions> = {}) =>
  bytesOf(createChatRoute({ authorize: "anonymous", ...options, agent: agentOf(streamChat) }).POST(post()));

/** An answer with most kinds of parts. */
async function* travelGuide(): AsyncGenerator<StreamChunk> {
  yield { type: "metadata", metadata: { model: "model-1" } };
  yield { type: "step-start", stepId: "1" };
  yield { type: "reasoning-delta", delta: "They want the weather, " };
  yield { type: "reasoning-delta", delta: "and a place to eat." };
  yield { type: "tool-call-start", toolCallId: "c1", tool: "weather" };
  yield { type: "tool-call-delta", toolCallId: "c1", delta: '{"city":"Rome"}' };
  yield { type: "tool-call-ready", toolCallId: "c1", tool: "weather", input: { city: "Rome" } };
  yield { type: "tool-call-result", toolCallId: "c1", tool: "weather", content: { celsius: 21 } };
  yield { type: "step-end", stepId: "1", finishReason: "tool-calls" };
  await pause(5);
  yield { type: "text-delta", delta: "It is 21\u00a0°C.\nEat “cacio e pepe” 🍝\u2028and rest." };
  yield { type: "source", id: "s1", url: "https://example.com/rome", title: "Rome" };
  const card = createStructuredStreamWriter({ dataType: "card", streamId: "card-1" });
  yield card.set("title", "Trattoria");
  yield card.append("dishes", "Cacio e pepe");
  yield card.final({ title: "Trattoria", dishes: ["Cacio e pepe"] });
  yield { type: "data", name: "map", data: { center: [41.9, 12.5] } };
  yield { type: "file", mediaType: "image/png", url: "https://example.com/rome.png", name: "rome.png" };
  yield { type: "done", finishReason: "stop", usage: { inputTokens: 20, outputTokens: 30 } };
}

async function* slowCount(): AsyncGenerator<StreamChunk> {
  yield { type: "text-delta", delta: "One, " };
  await pause(100);
  yield { type: "text-delta", delta: "two." };
  yield { type: "done", finishReason: "stop" };
}

async function* failing(): AsyncGenerator<StreamChunk> {
  yield { type: "text-delta", delta: "Half an" };
  await pause(40);
  throw new Error("The password of the database is wrong.");
}

/** One run: whole, followed from its third entry on, and cut inside an event. */
function recordRun(): Record<string, Recording> {
  const runs = { store: createMemoryRunStore() };
  const route = createChatRoute({ authorize: () => "ada", agent: agentOf(travelGuide), runs });
  const whole = bytesOf(route.POST(post({ sessionId: "s1", idempotencyKey: "k1" })));
  const rest = whole.then((bytes) => {
    const id = /^id: (.*\.2)$/m.exec(new TextDecoder().decode(bytes))![1]!;
    return bytesOf(route.GET(new Request(url, { headers: { ...eventStream, "last-event-id": id } })));
  });
  return {
    "recorded-run": { description: "A run of a session, from its first entry.", body: whole },
    "recorded-run-resumed": { description: "The rest of that run, after its third entry.", body: rest },
    "recorded-run-cut": {
      description: "The same run, whose connection broke in the middle of an event.",
      body: whole.then((bytes) => bytes.slice(0, bytes.length / 2)),
    },
  };
}

/** A run that a DELETE stops once its first text has arrived. */
async function recordStop(): Promise<Uint8Array> {
  async function* endless(): AsyncGenerator<StreamChunk> {
    yield { type: "text-delta", delta: "Once upon a time" };
    await new Promise(() => {});
  }
  const runs = { store: createMemoryRunStore() };
  const route = createChatRoute({ authorize: () => "ada", agent: agentOf(endless), runs });
  const response = await route.POST(post({ sessionId: "s1", idempotencyKey: "k1" }));
  const [kept, watched] = response.body!.tee();
  let seen = "";
  for await (const piece of watched.pipeThrough(new TextDecoderStream())) {
    seen += piece;
    if (seen.includes("Once") && !seen.includes('"abort"')) {
      await route.DELETE(new Request(`${url}?session=s1`, { method: "DELETE" }));
    }
  }
  return bytesOf(new Response(kept));
}

/** The secret of the recorded tokens. */
export const resumeSecret = "a secret of a test, of at least 32 bytes";

/** A call that waits for an approval, with signed tokens. */
async function recordQuestion(): Promise<Uint8Array> {
  async function* turn(): ModelStream {
    yield { type: "text-delta", delta: "I will book it." };
    const call = { toolCallId: "c1", tool: "book", input: { table: 4 } };
    yield { type: "tool-call-ready", ...call };
    const end: ModelTurn = {
      finishReason: "tool-calls",
      usage: { outputTokens: 9 },
      usageByModel: undefined,
      model: "model-1",
      toolCalls: [call],
    };
    return end;
  }
  const tools = {
    book: defineTool({ description: "Books a table.", needsApproval: true, run: () => "Booked." }),
  };
  const agent: ChatAgent = {
    streamChat: (messages, options) => runTools({ messages, options, tools, turn }),
  };
  const runs = { store: createMemoryRunStore() };
  const route = createChatRoute({ authorize: () => "ada", agent, runs, resumeSecret });
  return bytesOf(route.POST(post({ sessionId: "s1" })));
}

/** @returns the recordings by name. */
export const recordAll = (): Record<string, Recording> => ({
  ...recordRun(),
  "recorded-answer": {
    description: "An answer of a route without runs, with most kinds of parts.",
    body: respond(travelGuide),
  },
  "recorded-slow-answer": {
    description: "A slow agent: heartbeats between its texts.",
    body: respond(slowCount, { heartbeatMs: 30 }),
  },
  "recorded-failure": {
    description: "An agent that fails after its first text. The reader gets no text of the error.",
    body: respond(failing),
  },
  "recorded-timeout": {
    description: "An answer that takes longer than the route allows.",
    body: respond(slowCount, { maxDurationMs: 40 }),
  },
  "recorded-source-idle": {
    description: "An agent that is silent for too long.",
    body: respond(slowCount, { sourceIdleTimeoutMs: 40 }),
  },
  "recorded-stopped-run": { description: "A run that its user stopped.", body: recordStop() },
  "recorded-question": {
    description: "A tool call that waits for the user's approval, with tokens that the server signed.",
    body: recordQuestion(),
  },
});
