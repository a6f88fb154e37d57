/** An existing page of AG-UI, or of TanStack, unchanged, on a route with its wire. */
import type { HttpAgent as HttpAgentType, RunFinishedEvent } from "@ag-ui/client";
import { streamFromRoute } from "@kortyx/client";
import {
  type ChatAgent,
  type ChatRouteOptions,
  createMemoryRunStore,
  type StreamChunk,
} from "@kortyx/server";
import { agUIWire } from "@kortyx/server/ag-ui";
import { aiSDKWire } from "@kortyx/server/ai-sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { createPaymentAgent } from "./kit/payment-agent.ts";
import { serveRoute } from "./kit/route-server.ts";

const { HttpAgent } = isInstalled() ? await import("@ag-ui/client") : ({} as never);
const { ChatClient, fetchServerSentEvents } = isInstalled()
  ? await import("@tanstack/ai-client")
  : ({} as never);

/** A route that speaks every wire. @returns its URL. */
const serve = (agent: ChatAgent, options: Partial<ChatRouteOptions> = {}) =>
  serveRoute(agent, { wires: [aiSDKWire, agUIWire], ...options });

afterEach(() => void vi.restoreAllMocks());

function createPage(url: string): HttpAgentType {
  const page = new HttpAgent({ url, threadId: "t1" });
  return page;
}

let ids = 0;
const ask = (page: HttpAgentType, content: string, parameters = {}) => {
  page.addMessage({ id: `u${ids++}`, role: "user", content });
  return page.runAgent(parameters);
};

const said = (page: HttpAgentType) =>
  page.messages.flatMap(({ role, content }) =>
    typeof content === "string" && content !== "" ? [`${role}: ${content}`] : [],
  );

const text = (delta: string): StreamChunk => ({ type: "text-delta", delta });
const done: StreamChunk = { type: "done", finishReason: "stop" };
const withRuns = (): Partial<ChatRouteOptions> => ({ runs: { store: createMemoryRunStore() } });

const modes = [
  ["without runs", () => ({})],
  ["with runs", withRuns],
] as const;

describe.skipIf(!isInstalled()).each(modes)("AG-UI's HttpAgent on a route %s", (_, options) => {
  test("shows the answer, and sends the conversation with the next question", async () => {
    const asked: unknown[] = [];
    const url = await serve(
      {
        async *streamChat(messages, { sessionId, context }) {
          asked.push([sessionId, context, messages.map(({ role, content }) => `${role}: ${content}`)]);
          yield text(`You said ${messages.at(-1)!.content}.`);
          yield done;
        },
      },
      options(),
    );
    const page = createPage(url);
    await ask(page, "one");
    await ask(page, "two", { forwardedProps: { theme: "dark" } });
    expect(said(page)).toEqual([
      "user: one",
      "assistant: You said one.",
      "user: two",
      "assistant: You said two.",
    ]);
    expect(asked[1]).toEqual([
      "t1",
      { forwardedProps: { theme: "dark" } },
      ["user: one", "assistant: You said one.", "user: two"],
    ]);
  });

  test("reports the error of an agent that fails, without its secrets", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const url = await serve(
      {
        async *streamChat() {
          yield text("Half");
          // More than the time in which a failure is still a status.
          await new Promise((resolve) => setTimeout(resolve, 50));
          throw new Error("postgres://user:secret@host");
        },
      },
      options(),
    );
    const page = createPage(url);
    const errors: unknown[] = [];
    page.subscribe({ onRunErrorEvent: ({ event }) => void errors.push([event.message, event.code]) });
    await ask(page, "Hello").catch(() => {});
    expect(errors).toEqual([["Something went wrong on the server.", "internal"]]);
    expect(said(page)).toEqual(["user: Hello", "assistant: Half"]);
    expect(log).toHaveBeenCalled();
  });

  test("approves a call, which then runs once, after a tool of the page has run", async () => {
    const { runs } = options() as Partial<ChatRouteOptions>;
    const payment = createPaymentAgent(runs);
    const url = await serve(payment.agent, payment.options);
    const page = createPage(url);
    const outcomes: RunFinishedEvent["outcome"][] = [];
    page.subscribe({ onRunFinishedEvent: ({ event }) => void outcomes.push(event.outcome) });
    const locate = { name: "locate", description: "Where the user is.", parameters: { type: "object" } };
    await ask(page, "Pay", { tools: [locate] });
    expect(outcomes.at(-1)).toMatchObject({ type: "success" });
    page.addMessage({ id: "r1", role: "tool", toolCallId: "1", content: "Rome" });
    await page.runAgent({ tools: [locate] });
    const outcome = outcomes.at(-1);
    if (outcome?.type !== "interrupt") throw new Error(`Got ${JSON.stringify(outcome)}.`);
    const [interrupt] = outcome.interrupts;
    expect(interrupt).toMatchObject({ reason: "tool-approval", toolCallId: "2" });
    expect(payment.paid).toEqual([]);
    await page.runAgent({
      tools: [locate],
      resume: [{ interruptId: interrupt!.id, status: "resolved", payload: { approved: true } }],
    });
    expect(payment.paid).toEqual([{ euros: 5 }]);
    expect(said(page).slice(-2)).toEqual(["tool: paid", "assistant: Done."]);
    expect([outcomes.at(-1)?.type, payment.turns()]).toEqual(["success", 3]);
  });
});

describe.skipIf(!isInstalled())("AG-UI's wire on a route with runs", () => {
  test("our own client reads the same answer from the same log, and stops it", async () => {
    const left = Promise.withResolvers<void>();
    const url = await serve(
      {
        async *streamChat(_messages, { signal }) {
          signal?.addEventListener("abort", () => left.resolve());
          yield text("Once");
          await left.promise;
        },
      },
      withRuns(),
    );
    const page = createPage(url);
    const finished: unknown[] = [];
    page.subscribe({ onRunFinishedEvent: ({ event }) => void finished.push(event.outcome?.type) });
    const running = ask(page, "A story");
    await vi.waitFor(() => expect(said(page)).toContain("assistant: Once"));
    const stream = streamFromRoute({ endpoint: url, method: "GET", query: { session: "t1" } });
    const chunks: string[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk.type);
      if (chunk.type === "text-delta") await fetch(`${url}?session=t1`, { method: "DELETE" });
    }
    await running;
    expect(chunks).toEqual(["run-start", "text-delta", "abort"]);
    expect(finished).toEqual(["cancelled"]);
  });

  test("a GET in this wire follows the open run from its beginning", async () => {
    const gate = Promise.withResolvers<void>();
    const url = await serve(
      {
        async *streamChat() {
          yield text("Once");
          await gate.promise;
          yield done;
        },
      },
      withRuns(),
    );
    const page = createPage(url);
    const running = ask(page, "A story");
    await vi.waitFor(() => expect(said(page)).toContain("assistant: Once"));
    const follower = await fetch(`${url}?wire=ag-ui&session=t1`);
    gate.resolve();
    const body = await follower.text();
    await running;
    const types = Array.from(body.matchAll(/^data: \{"type":"(\w+)"/gm), ([, type]) => type);
    expect(types).toEqual([
      "RUN_STARTED",
      "TEXT_MESSAGE_START",
      "TEXT_MESSAGE_CONTENT",
      "TEXT_MESSAGE_END",
      "RUN_FINISHED",
    ]);
    expect(body).not.toMatch(/\[DONE\]|^id:/m);
    expect((await fetch(`${url}?wire=ag-ui&session=t1`)).status).toBe(204);
  });
});

describe.skipIf(!isInstalled()).each(modes)("TanStack's ChatClient on a route %s", (_, options) => {
  test("shows the answer, and the error of an agent that fails", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    let questions = 0;
    const url = await serve(
      {
        async *streamChat(messages) {
          yield text(`You said ${messages.at(-1)!.content}.`);
          await new Promise((resolve) => setTimeout(resolve, 50));
          if (questions++ > 0) throw new Error("secret");
          yield done;
        },
      },
      options(),
    );
    const errors: string[] = [];
    const client = new ChatClient({
      connection: fetchServerSentEvents(url),
      onError: ({ message }) => void errors.push(message),
    });
    await client.sendMessage("one");
    await client.sendMessage("two").catch(() => {});
    const texts = client
      .getMessages()
      .map(({ parts }) => parts.map((part) => (part.type === "text" ? part.content : "")).join(""));
    expect(texts).toEqual(["one", "You said one.", "two", "You said two."]);
    expect(errors).toEqual(["Something went wrong on the server."]);
    expect(log).toHaveBeenCalled();
  });
});
