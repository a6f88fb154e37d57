/** Shared by the suites of a chat route with runs: routes, requests, agents and readers of answers. Contains no tests. */
import type { ChatMessage, StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { RouteAgentOptions as AgentOptions } from "../../src/route/chat-agent.ts";
import type { ChatRoute, ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { ChatRunOptions } from "../../src/runs/run-options.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

export const log = vi.spyOn(console, "error").mockImplementation(() => {});
/** A process that drains cannot stop draining, so tests drop the registry instead. */
export const forget = () => Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/streams"));
export const messages: ChatMessage[] = [{ role: "user", content: "Hi" }];
export const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
export const stoppedFrame = '{"type":"abort","reason":"stopped"}';
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const settle = () => new Promise(setImmediate);
/** Waits until `check` passes, which may take a little longer on a busy machine. */
export const until = (check: () => unknown) => vi.waitFor(check, { interval: 2 });

export type Agent = (options: AgentOptions) => AsyncIterable<StreamChunk>;

export const answer: Agent = async function* () {
  yield delta("Hel");
  yield delta("lo");
  yield { type: "done" };
};

/** An agent that yields one chunk, and another at each call of `next`, until it is aborted. */
export function steered() {
  let allowed = 1;
  let proceed: () => void = () => {};
  return {
    /** Lets the agent yield its next chunk. */
    next() {
      allowed++;
      proceed();
    },
    agent: async function* ({ signal }: AgentOptions): AsyncGenerator<StreamChunk> {
      for (let count = 0; ; count++) {
        while (count === allowed && !signal.aborted) {
          await new Promise<void>((resolve) => {
            proceed = resolve;
            signal.addEventListener("abort", () => resolve());
          });
        }
        if (signal.aborted) return;
        yield delta(`${count}`);
      }
    },
  };
}

const asUser =
  (user: string) =>
  (init: RequestInit = {}): RequestInit => ({ ...init, headers: { "x-user": user, ...init.headers } });
export const ann = asUser("ann");
export const bob = asUser("bob");

export interface RouteSetUp {
  runs?: Partial<ChatRunOptions>;
  route?: Partial<ChatRouteOptions>;
}

/** A route with runs that takes the user from a header. */
export function routeOf(agent: Agent = answer, { runs, route: options }: RouteSetUp = {}) {
  const calls: [ChatMessage[], AgentOptions][] = [];
  const store = runs?.store ?? createMemoryRunStore();
  const route = createChatRoute({
    agent: {
      streamChat(given, agentOptions) {
        calls.push([given, agentOptions]);
        return agent(agentOptions);
      },
    },
    authorize: (request) => request.headers.get("x-user"),
    runs: { store, ...runs },
    ...options,
  });
  return { route, store, calls };
}

export const url = (query = "") => `http://host/api/chat${query}`;
export const post = (body: object = {}, init: RequestInit = ann()) =>
  new Request(url(), {
    method: "POST",
    body: JSON.stringify({ messages, ...body }),
    ...init,
    headers: { "content-type": "application/json", accept: "text/event-stream", ...init.headers },
  });
export const get = (query: string, init: RequestInit = ann()) => new Request(url(query), init);
export const del = (query: string, init: RequestInit = ann()) =>
  new Request(url(query), { ...init, method: "DELETE" });
export const lastEventId = (id: string, init = ann()) => ({
  ...init,
  headers: { ...init.headers, "last-event-id": id },
});

/** The ids and data of the events in a text. */
export function eventsOf(text: string): { id: string | undefined; data: string }[] {
  return text
    .split("\n\n")
    .filter((event) => event.includes("data: "))
    .map((event) => ({ id: /^id: (.*)$/m.exec(event)?.[1], data: /^data: (.*)$/m.exec(event)![1]! }));
}
export const runIdOf = (text: string) => /id: ([0-9a-f-]+)\.0\n/.exec(text)![1]!;

/** Slow responses have comments, which most tests ignore. */
export const withoutComments = (text: string) => text.replaceAll(/^:.*\n\n/gm, "");

/** Reads an answer as it arrives, without its comments. */
export function reading(response: Response) {
  const seen = { text: "", isOver: false, over: Promise.resolve() };
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  seen.over = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen.text = withoutComments(seen.text + decoder.decode(value, { stream: true }));
    }
    seen.isOver = true;
  })();
  return { seen, leave: () => reader.cancel() };
}

/** Starts a run. @returns its id, once its first text has arrived. */
export async function start(route: ChatRoute, body: object = {}, init: RequestInit = ann()) {
  const response = await route.POST(post(body, init));
  expect(response.status).toBe(200);
  const { seen, leave } = reading(response);
  await until(() => expect(seen.text).toContain("text-delta"));
  return { runId: runIdOf(seen.text), seen, leave };
}
export const refusal = async (response: Response) => [response.status, (await response.json()).code];

/** Clears the log before each test, and ends streams that a test has left open. Call it once in each suite. */
export function watchRuns(): void {
  beforeEach(() => log.mockClear());
  afterEach(async () => {
    // A stream left open ends here, so that it cannot disturb another test.
    for (const stream of streamRegistry().streams) stream.shutdown();
    await until(() => expect(streamRegistry().streams.size + streamRegistry().followers.size).toBe(0));
    forget();
  });
}
