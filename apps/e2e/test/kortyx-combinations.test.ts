/**
 * Routes, clients and agents of Kortyx combined with ours: complete answers, three questions of three kinds in a row, a
 * cancelled question, and an agent that fails.
 */
import { createChat, toMessageText } from "@kortyx/client";
import {
  type ChatAgent,
  type ChatRouteOptions,
  createChatRoute,
  createMemoryRunStore,
  parseChatRequestBody,
  type StreamChunk,
  toSSE,
} from "@kortyx/server";
import { fromKortyx } from "@kortyx/server/kortyx";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createKortyxClient } from "../kortyx/kortyx-client.ts";
import { createKortyxRoute } from "../kortyx/kortyx-route.ts";
import { createTripAgent, questions, secret } from "../kortyx/trip-agent.ts";
import { type LiveServer, listen } from "./live-server.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** The latest answer as a user sees it, with either client. */
interface Shown {
  text: string;
  tools: unknown[];
  objects: unknown[];
  /** The kind of the pending question. */
  asked: string | undefined;
  hasFailed: boolean;
}

/** A client as its user sees it. */
interface Page {
  send(text: string): Promise<void>;
  respond(answer: string | string[]): Promise<void>;
  cancel(said: string): Promise<void>;
  shown(): Shown;
}

function openOurs(endpoint: string): Page {
  const chat = createChat({ endpoint, sessionId: crypto.randomUUID() });
  return {
    send: chat.send,
    respond: (answer) => chat.respond(chat.getSnapshot().interrupt!, answer),
    cancel: (reason) => chat.respond(chat.getSnapshot().interrupt!, { outcome: "cancelled", reason }),
    shown() {
      const { messages, interrupt, status, error } = chat.getSnapshot();
      const answer = messages.at(-1)!;
      const parts = answer.role === "assistant" ? answer.parts : [];
      return {
        text: answer.role === "assistant" ? toMessageText(answer) : "",
        tools: parts.flatMap((part) => (part.type === "tool-call" ? [part.content] : [])),
        objects: parts.flatMap((part) => (part.type === "structured-data" ? [part.data] : [])),
        asked: interrupt?.input.kind,
        hasFailed: status === "error" && error !== undefined,
      };
    },
  };
}

function openTheirs(endpoint: string): Page {
  const client = createKortyxClient(endpoint, crypto.randomUUID());
  return {
    send: client.send,
    respond: (answer) => client.respond(client.answer().question!, [answer].flat()),
    cancel: (said) => client.cancel(client.answer().question!, said),
    shown() {
      const { question, failure, ...rest } = client.answer();
      return { ...rest, asked: question?.input.kind, hasFailed: failure !== undefined };
    },
  };
}

const theirRoute = (): Handler => createKortyxRoute(createTripAgent());

/** The four lines that a reader of Kortyx's own page would write. */
function fourLineRoute(): Handler {
  const agent = createTripAgent();
  return async (request) => {
    const { messages, sessionId, workflowId } = parseChatRequestBody(await request.json());
    return toSSE(agent.streamChat(messages, { sessionId, workflowId }));
  };
}

/** The same trips, by an agent that reads `resume` and fails by throwing. Its tokens are the answers so far. */
const ourAgent: ChatAgent = {
  async *streamChat(messages, { resume }): AsyncGenerator<StreamChunk> {
    const said = messages.at(-1)!.content;
    if (said === "Fail") {
      yield { type: "text-delta", delta: "So far" };
      throw new Error(secret);
    }
    let answers: (string | string[])[] = [];
    if (resume && resume.outcome !== "cancelled") {
      answers = [...JSON.parse(resume.resumeToken), resume.answer];
    } else if (said !== "Plan a trip") {
      yield { type: "text-delta", delta: `${resume ? "Cancelled. " : ""}You said: ${said}` };
      return yield { type: "done" };
    } else {
      yield { type: "text-delta", delta: "Let me plan that." };
      yield { type: "tool-call-start", tool: "calendar", toolCallId: "call-1", input: { month: 5 } };
      yield { type: "tool-call-result", tool: "calendar", toolCallId: "call-1", content: "free" };
      const trip = { streamId: "trip-1", dataType: "trip" };
      yield { type: "structured-data", kind: "final", data: { month: 5, days: 3 }, ...trip };
    }
    const input = questions[answers.length];
    if (input) {
      const requestId = `question-${answers.length}`;
      yield { type: "interrupt", requestId, resumeToken: JSON.stringify(answers), input };
      return yield { type: "done", finishReason: "interrupt" };
    }
    const [where, how, who] = answers;
    // The answers to the first two questions are strings.
    expect([typeof where, typeof how]).toEqual(["string", "string"]);
    yield { type: "text-delta", delta: `To ${where} by ${how} with ${[who].flat().join(" and ")}.` };
    yield { type: "done" };
  },
};

/** All requests come from the same user. */
const withRuns = () => ({ authorize: () => "ann", runs: { store: createMemoryRunStore() } });

const adaptedRoute = (options: Partial<ChatRouteOptions> = {}): Handler =>
  createChatRoute({ agent: fromKortyx(createTripAgent()), ...options }).fetch;

const rows: [server: string, client: string, open: () => Handler, openPage: (endpoint: string) => Page][] = [
  ["their route", "their client", theirRoute, openTheirs],
  ["their route", "our chat", theirRoute, openOurs],
  ["four lines of ours around their agent", "our chat", fourLineRoute, openOurs],
  ["four lines of ours around their agent", "their client", fourLineRoute, openTheirs],
  ["our route around their agent", "our chat", () => adaptedRoute(), openOurs],
  ["our route around their agent", "their client", () => adaptedRoute(), openTheirs],
  ["our route around their agent, with runs", "our chat", () => adaptedRoute(withRuns()), openOurs],
  ["our route around their agent, with runs", "their client", () => adaptedRoute(withRuns()), openTheirs],
  ["our route and agent", "our chat", () => createChatRoute({ agent: ourAgent }).fetch, openOurs],
  ["our route and agent", "their client", () => createChatRoute({ agent: ourAgent }).fetch, openTheirs],
  [
    "our route and agent, with runs",
    "our chat",
    () => createChatRoute({ agent: ourAgent, ...withRuns() }).fetch,
    openOurs,
  ],
  [
    "our route and agent, with runs",
    "their client",
    () => createChatRoute({ agent: ourAgent, ...withRuns() }).fetch,
    openTheirs,
  ],
];

let server: LiveServer | undefined;
beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(async () => {
  vi.restoreAllMocks();
  await server?.close();
  server = undefined;
});

async function open(handler: Handler, openPage: (endpoint: string) => Page): Promise<Page> {
  server = await listen(handler);
  return openPage(`${server.url}/api/chat`);
}

describe.each(rows)("%s, %s", (_server, _client, openRoute, openPage) => {
  test("texts, tools and objects arrive, and three questions in a row are answered", async () => {
    const page = await open(openRoute(), openPage);
    // Twice: with several ids in the last answer, and with one.
    for (const [who, names] of [
      [["ann", "cid"], "ann and cid"],
      [["bob"], "bob"],
    ] as const) {
      await page.send("Plan a trip");
      expect(page.shown()).toEqual({
        text: "Let me plan that.",
        tools: ["free"],
        objects: [{ month: 5, days: 3 }],
        asked: "text",
        hasFailed: false,
      });
      await page.respond("Lisbon");
      expect(page.shown()).toMatchObject({ asked: "choice", hasFailed: false });
      await page.respond("train");
      expect(page.shown()).toMatchObject({ asked: "multi-choice", hasFailed: false });
      await page.respond([...who]);
      expect(page.shown()).toMatchObject({
        text: `To Lisbon by train with ${names}.`,
        asked: undefined,
        hasFailed: false,
      });
    }
  });

  test("a cancelled question is replaced by the user's next message", async () => {
    const page = await open(openRoute(), openPage);
    await page.send("Plan a trip");
    await page.respond("Lisbon");
    await page.cancel("Tell me a joke");
    expect(page.shown()).toMatchObject({
      text: expect.stringMatching(/You said: Tell me a joke$/),
      asked: undefined,
      hasFailed: false,
    });
  });

  test("a failed agent fails for the user as well, and answers the next message", async () => {
    const page = await open(openRoute(), openPage);
    await page.send("Fail");
    expect(page.shown()).toMatchObject({ text: "So far", asked: undefined, hasFailed: true });
    await page.send("Hello");
    expect(page.shown()).toMatchObject({ text: "You said: Hello", hasFailed: false });
  });
});

test.each([
  ["our chat", openOurs],
  ["their client", openTheirs],
])(
  "their agent passed to our route directly fails because it refuses unknown options: %s",
  async (_, openPage) => {
    const page = await open(createChatRoute({ agent: createTripAgent() }).fetch, openPage);
    await page.send("Plan a trip");
    expect(page.shown()).toEqual({ text: "", tools: [], objects: [], asked: undefined, hasFailed: true });
  },
);

test("fromKortyx removes their agent's state and the text of its errors", async () => {
  for (const options of [{}, withRuns()]) {
    server = await listen(adaptedRoute(options));
    for (const content of ["Plan a trip", "Fail"]) {
      const response = await fetch(server.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content }], context: { key: secret } }),
      });
      const text = await response.text();
      expect(text).toContain("[DONE]");
      expect(text).not.toContain(secret);
    }
    await server.close();
  }
});

test("our agent learns of a cancelled question from either client", async () => {
  for (const openPage of [openOurs, openTheirs]) {
    const page = await open(createChatRoute({ agent: ourAgent }).fetch, openPage);
    await page.send("Plan a trip");
    await page.cancel("Tell me a joke");
    expect(page.shown().text).toBe("Cancelled. You said: Tell me a joke");
    await server!.close();
  }
});

test("an answer restored from a store is sent again after a reload, in the metadata and in the body, whatever is selected", async () => {
  const asked: { resume: unknown; metadata: unknown }[] = [];
  const agent: ChatAgent = {
    streamChat(messages, options) {
      asked.push({ resume: options.resume, metadata: messages.at(-1)!.metadata });
      return ourAgent.streamChat(messages, options);
    },
  };
  server = await listen(createChatRoute({ agent }).fetch);
  const endpoint = `${server.url}/api/chat`;
  const chat = createChat({ endpoint, sessionId: "session-1" });
  await chat.send("Plan a trip");
  await chat.respond(chat.getSnapshot().interrupt!, "Lisbon");
  await chat.respond(chat.getSnapshot().interrupt!, "train");
  await chat.respond(chat.getSnapshot().interrupt!, ["bob"]);
  const given = asked.at(-1)!;
  expect(given.metadata).toEqual({
    resume: { token: '["Lisbon","train"]', requestId: "question-2", selected: ["bob"] },
  });

  const initialMessages = JSON.parse(JSON.stringify(chat.getSnapshot().messages));
  const later = createChat({
    endpoint,
    sessionId: "session-1",
    initialMessages,
    selectMessages: (messages) => messages.slice(-1).map(({ role, content }) => ({ role, content })),
  });
  await later.regenerate();
  expect(asked.at(-1)).toEqual(given);
  expect(toMessageText(later.getSnapshot().messages.at(-1)!)).toBe("To Lisbon by train with bob.");
});
