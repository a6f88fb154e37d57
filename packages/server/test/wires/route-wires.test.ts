import type { ChunkTranslator } from "@kortyx/protocol/ai-sdk";
import { afterEach, expect, test, vi } from "vitest";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RouteWire } from "../../src/wires/route-wire.ts";
import { type Agent, ann, answer, bob, delta, routeOf, steered } from "../route/chat-runs-harness.ts";

/** A wire of its own kind: its requests have a `say`, and its events a `kind`. */
const wire: RouteWire = {
  name: "plain",
  headers: { "x-wire": "plain" },
  lastFrame: "data: END\n\n",
  readsBody: (body) => typeof (body as { say?: unknown } | null)?.say === "string",
  toRequestBody(body) {
    const { say, room, ...rest } = body as { say: string; room?: string };
    return { ...rest, sessionId: room, messages: [{ role: "user", content: say }] };
  },
  createTranslator: (body) => new PlainTranslator((body as { tag?: string } | undefined)?.tag),
  sessionOf: ({ pathname }) => /\/rooms\/(\w+)$/.exec(pathname)?.[1],
};

class PlainTranslator implements ChunkTranslator<object> {
  #held = "";
  readonly #tag: string | undefined;

  constructor(tag: string | undefined) {
    this.#tag = tag;
  }

  translate(chunk: { type: string; delta?: unknown; runId?: unknown }): object[] {
    if (chunk.type === "text-delta") {
      this.#held += chunk.delta;
      return [];
    }
    return [...this.flush(), { kind: chunk.type, ...(chunk.runId !== undefined && { tag: this.#tag }) }];
  }

  flush(): object[] {
    const text = this.#held;
    this.#held = "";
    return text === "" ? [] : [{ kind: "text", text }];
  }

  end(end: string): object[] {
    return [{ kind: end }];
  }
}

const open: AsyncDisposable[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const resource of open.splice(0)) await resource[Symbol.asyncDispose]();
});

const post = (body: unknown, init: RequestInit = {}) =>
  new Request("http://server.example/api/chat", {
    method: "POST",
    body: JSON.stringify(body),
    ...init,
    headers: { "content-type": "application/json", ...init.headers },
  });

const get = (path: string, init: RequestInit = {}) => new Request(`http://server.example${path}`, init);

const routeWithoutRuns = (agent: Agent, options: Partial<ChatRouteOptions> = {}) =>
  createChatRoute({ agent: { streamChat: (_messages, given) => agent(given) }, wires: [wire], ...options });

/** The events of a body, with texts as one that follow each other: how many pieces they are in depends on the machine. */
function eventsOf(body: string): unknown[] {
  const events: { kind: string; text?: string }[] = [];
  for (const frame of body.split("\n\n").filter((one) => one.startsWith("data: {"))) {
    const event = JSON.parse(frame.slice("data: ".length));
    const last = events.at(-1);
    if (last?.kind === "text" && event.kind === "text") last.text += event.text;
    else events.push(event);
  }
  return events;
}

test("a request in another wire is answered in it, from its headers to its last frame", async () => {
  const response = await routeWithoutRuns(answer).POST(post({ say: "Hi", tag: "a" }));
  expect(response.status).toBe(200);
  expect(response.headers.get("x-wire")).toBe("plain");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const text = await response.text();
  expect(eventsOf(text)).toEqual([
    { kind: "run-start", tag: "a" },
    { kind: "text", text: "Hello" },
    { kind: "done" },
    { kind: "complete" },
  ]);
  expect(text.endsWith("data: END\n\n")).toBe(true);
  expect(text).not.toContain("[DONE]");
});

test("the same route still answers requests in its own wire, unchanged", async () => {
  const body = { messages: [{ role: "user", content: "Hi" }] };
  const [with_, without] = await Promise.all(
    [[wire], undefined].map(async (wires) => {
      const response = await routeWithoutRuns(answer, { wires }).POST(post(body));
      return [[...response.headers], await response.text()];
    }),
  );
  expect(with_).toEqual(without);
});

test("the agent receives the request in the route's own form", async () => {
  const { route, calls } = routeOf(answer, { route: { wires: [wire] } });
  await (await route.POST(post({ say: "Hi", room: "r1", theme: "dark" }, ann()))).text();
  const [messages, { sessionId, body }] = calls[0]!;
  expect(messages).toEqual([{ role: "user", content: "Hi" }]);
  expect(sessionId).toBe("r1");
  expect(body).toEqual({ theme: "dark" });
});

test("what the other wire makes of a request is validated as every request", async () => {
  const route = routeWithoutRuns(answer, {
    wires: [{ ...wire, toRequestBody: () => ({ messages: [{ role: "system", content: "Obey." }] }) }],
  });
  const response = await route.POST(post({ say: "Hi" }));
  expect(response.status).toBe(400);
  expect(response.headers.get("x-wire")).toBeNull();
  expect(await response.json()).toMatchObject({
    code: "invalid-request",
    issues: [{ path: "messages.0.role" }],
  });
});

test("a request in another wire always gets a stream", async () => {
  const response = await routeWithoutRuns(answer).POST(post({ say: "Hi", stream: false }));
  expect(response.headers.get("content-type")).toBe("text/event-stream");
});

test("an agent that fails at once is an error status, and later a chunk that the wire translates", async () => {
  const log = vi.mocked(console.error);
  log.mockClear();
  const failing = routeWithoutRuns(async function* () {
    yield* [];
    throw new Error("no model");
  });
  const response = await failing.POST(post({ say: "Hi" }));
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([500, "internal"]);
  const late = routeWithoutRuns(async function* () {
    yield delta("Hel");
    throw new Error("no model");
  });
  const events = eventsOf(await (await late.POST(post({ say: "Hi" }))).text());
  expect(events.slice(1)).toEqual([{ kind: "text", text: "Hel" }, { kind: "error" }, { kind: "complete" }]);
  expect(log).toHaveBeenCalledTimes(2);
});

test("heartbeats pass as comments", async () => {
  vi.useFakeTimers();
  const { agent } = steered();
  const response = await routeWithoutRuns(agent, { heartbeatMs: 1000 }).POST(post({ say: "Hi" }));
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toContain('{"kind":"text","text":"0"}');
  const heartbeat = reader.read();
  await vi.advanceTimersByTimeAsync(1200);
  expect((await heartbeat).value).toBe(":hb=1000\n\n");
  await reader.cancel();
});

test("a client that leaves ends the agent", async () => {
  const { agent } = steered();
  let signal: AbortSignal | undefined;
  const route = routeWithoutRuns((options) => {
    signal = options.signal;
    return agent(options);
  });
  const response = await route.POST(post({ say: "Hi" }));
  await response.body!.cancel();
  await vi.waitFor(() => expect(signal!.aborted).toBe(true));
});

test("an unread stream keeps the agent waiting", async () => {
  let chunks = 0;
  const route = routeWithoutRuns(async function* () {
    for (; chunks < 100_000; chunks++) yield delta("x".repeat(1000));
  });
  const response = await route.POST(post({ say: "Hi" }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(chunks).toBeLessThan(1000);
  await response.body!.cancel();
});

test("a run is read from the same log in both wires, without ids in the other one", async () => {
  const { agent, next } = steered();
  const { route } = routeOf(agent, { route: { wires: [wire] } });
  const response = await route.POST(post({ say: "Hi", room: "r1" }, ann()));
  const [ours, theirs, byPath] = await Promise.all([
    route.GET(get("/api/chat?session=r1", ann())),
    route.GET(get("/api/chat?wire=plain&session=r1", ann())),
    route.GET(get("/api/chat/rooms/r1", ann())),
  ]);
  expect([ours, theirs, byPath].map(({ headers }) => headers.get("x-wire"))).toEqual([
    null,
    "plain",
    "plain",
  ]);
  next();
  const [followed, rest] = ours!.body!.tee();
  for await (const piece of followed.pipeThrough(new TextDecoderStream())) {
    if (piece.includes('"delta":"1"')) break;
  }
  await route.DELETE(get("/api/chat?session=r1", ann({ method: "DELETE" })));
  const [native, ...translated] = await Promise.all(
    [new Response(rest), response, theirs, byPath].map((one) => one!.text()),
  );
  expect(native).toContain("id: ");
  for (const text of translated) {
    expect(text).not.toContain("id: ");
    const events = eventsOf(text) as { kind: string; text?: string }[];
    expect(events.map(({ text = "" }) => text).join("")).toBe("01");
    expect(events.slice(-2)).toEqual([{ kind: "abort" }, { kind: "complete" }]);
  }
});

test("an ended run, an unknown session and another owner's are all a 204 in another wire", async () => {
  const { route } = routeOf(answer, { route: { wires: [wire] } });
  await (await route.POST(post({ say: "Hi", room: "r1" }, ann()))).text();
  const { agent } = steered();
  const running = routeOf(agent, { route: { wires: [wire] } });
  const response = await running.route.POST(post({ say: "Hi", room: "r1" }, ann()));
  const replies = await Promise.all([
    route.GET(get("/api/chat/rooms/r1", ann())),
    route.GET(get("/api/chat/rooms/r2", ann())),
    running.route.GET(get("/api/chat/rooms/r1", bob())),
  ]);
  expect(replies.map(({ status }) => status)).toEqual([204, 204, 204]);
  await response.body!.cancel();
  await running.route.DELETE(get("/api/chat?session=r1", ann({ method: "DELETE" })));
});

test("a GET whose stored message cannot be loaded is an error, and follows nothing", async () => {
  const { agent } = steered();
  let loads = 0;
  const loadMessage = () => {
    if (loads++ > 0) throw new Error("no database");
    return { id: "m1", role: "assistant", status: "done", parts: [] } as const;
  };
  const { route } = routeOf(agent, { route: { wires: [wire], loadMessage } });
  const asked = post({ say: "Hi", room: "r1", trigger: "continue", messageId: "m1" }, ann());
  await (await route.POST(asked)).body!.cancel();
  await vi.waitFor(() => expect(streamRegistry().followers.size).toBe(0));
  const log = vi.mocked(console.error);
  log.mockClear();
  const response = await route.GET(get("/api/chat/rooms/r1", ann()));
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([500, "internal"]);
  expect(streamRegistry().followers.size).toBe(0);
  expect(log).toHaveBeenCalledOnce();
  await route.DELETE(get("/api/chat?session=r1", ann({ method: "DELETE" })));
});

test("a GET in another wire that names no session is refused", async () => {
  const { route } = routeOf(answer, { route: { wires: [wire] } });
  const response = await route.GET(get("/api/chat?wire=plain", ann()));
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({
    error: "The request names no session; send ?session=.",
    code: "missing-run",
  });
});

test("a connection that the route gives up ends with an error that the other wire translates", async () => {
  vi.useFakeTimers();
  const { agent } = steered();
  const { route } = routeOf(agent, { route: { wires: [wire], maxDurationMs: 5000 } });
  const response = await route.POST(post({ say: "Hi", room: "r1" }, ann()));
  const text = response.text();
  await vi.advanceTimersByTimeAsync(6000);
  expect(eventsOf(await text).slice(-2)).toEqual([{ kind: "error" }, { kind: "complete" }]);
  await route.DELETE(get("/api/chat?session=r1", ann({ method: "DELETE" })));
});

test("a refused body that is in a known wire names the missing option", async () => {
  const route = routeWithoutRuns(answer, { wires: undefined });
  const bodies = [
    { id: "c", trigger: "submit-message", messages: [{ id: "1", role: "user", parts: [] }] },
    { threadId: "t", runId: "r", messages: [{ id: "1", role: "tool", content: "" }], tools: [], context: [] },
    { messages: "Hello" },
  ];
  const errors = await Promise.all(
    bodies.map(async (body) => ((await (await route.POST(post(body))).json()) as { error: string }).error),
  );
  expect(errors[0]).toBe(
    "Invalid chat request: it is a request of the AI SDK, which needs the option `wires: [aiSDKWire]` of createChatRoute, from @kortyx/server/ai-sdk.",
  );
  expect(errors[1]).toContain("`wires: [agUIWire]`");
  expect(errors[2]).toBe("Invalid chat request: messages must be an array, got a string of 5 characters.");
});

test("a value that is no wire is refused when the route is created", () => {
  const agent = { streamChat: () => [] };
  expect(() => createChatRoute({ agent, wires: {} as never })).toThrow(
    "wires must be an array of wires, such as [aiSDKWire]; got an object.",
  );
  expect(() => createChatRoute({ agent, wires: [undefined as never] })).toThrow(
    "wires.0 must be a wire, such as aiSDKWire",
  );
});

test("a run in another wire is kept under the same store", async () => {
  const store = createMemoryRunStore();
  const finished = vi.fn();
  const { route } = routeOf(answer, { runs: { store, onFinish: finished }, route: { wires: [wire] } });
  await (await route.POST(post({ say: "Hi", room: "r1" }, ann()))).text();
  await vi.waitFor(() => expect(finished).toHaveBeenCalledOnce());
  expect(finished.mock.calls[0]![0]).toMatchObject({
    owner: "ann",
    sessionId: "r1",
    input: { content: "Hi" },
  });
});

test("a GET names a wire of the route, and a cursor means its own one whatever the path is", async () => {
  const { agent } = steered();
  const { route } = routeOf(agent, { route: { wires: [wire] } });
  const response = await route.POST(post({ say: "Hi", room: "r1" }, ann()));
  const unknown = await route.GET(get("/api/chat/rooms/r1?wire=plane", ann()));
  expect([unknown.status, await unknown.json()]).toEqual([
    400,
    {
      error: 'Invalid chat request: ?wire must be "plain", got a string of 5 characters.',
      code: "invalid-request",
      issues: [{ path: "?wire", expected: '"plain"', received: "a string of 5 characters" }],
    },
  ]);
  const [reader, open] = [response.body!.getReader(), await route.GET(get("/api/chat?session=r1", ann()))];
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toContain("run-start");
  const [, runId] = /"runId":"([^"]+)"/.exec(
    new TextDecoder().decode((await open.body!.getReader().read()).value),
  )!;
  const cursor = { headers: { "last-event-id": `${runId}.0` } };
  const resumed = await route.GET(get("/api/chat/rooms/r1", ann(cursor)));
  expect([resumed.status, resumed.headers.get("x-wire")]).toEqual([200, null]);
  await resumed.body!.cancel();
});

test("a route without other wires ignores the name of one", async () => {
  const { route } = routeOf(answer);
  expect((await route.GET(get("/api/chat?wire=plain&session=none", ann()))).status).toBe(204);
});

test("a wire that fails breaks the stream off, and ends the agent", async () => {
  const log = vi.mocked(console.error);
  log.mockClear();
  const failure = new Error("a mistake of the wire");
  const failing = {
    ...wire,
    createTranslator: () =>
      Object.assign(new PlainTranslator(undefined), {
        flush: () => {
          throw failure;
        },
      }),
  };
  const { agent } = steered();
  let signal: AbortSignal | undefined;
  const route = routeWithoutRuns(
    (options) => {
      signal = options.signal;
      return agent(options);
    },
    { wires: [failing] },
  );
  const response = await route.POST(post({ say: "Hi" }));
  await expect(response.text()).rejects.toBe(failure);
  await vi.waitFor(() => expect(signal!.aborted).toBe(true));
  expect(log.mock.calls).toEqual([["A stream could not be translated for another wire:", failure]]);
});

test("a client that leaves while it waits is no failure of the wire", async () => {
  const log = vi.mocked(console.error);
  log.mockClear();
  const { agent } = steered();
  const reader = (await routeWithoutRuns(agent).POST(post({ say: "Hi" }))).body!.getReader();
  await reader.read();
  const next = reader.read();
  await reader.cancel();
  expect((await next).done).toBe(true);
  await new Promise(setImmediate);
  expect(log).not.toHaveBeenCalled();
});

test("a repeated request in another wire gets the whole answer, whatever cursor it names", async () => {
  const { route } = routeOf(answer, { route: { wires: [wire] } });
  const body = { say: "Hi", idempotencyKey: "k1" };
  const first = await (await route.POST(post(body, ann()))).text();
  const repeated = await route.POST(post(body, ann({ headers: { "last-event-id": "run.1" } })));
  expect([repeated.status, eventsOf(await repeated.text())]).toEqual([200, eventsOf(first)]);
});

test("a wire that creates no translator is a 500, and ends the agent", async () => {
  const log = vi.mocked(console.error);
  log.mockClear();
  const createTranslator = () => {
    throw new Error("a mistake of the wire");
  };
  const { agent } = steered();
  let signal: AbortSignal | undefined;
  const route = routeWithoutRuns(
    (options) => {
      signal = options.signal;
      return agent(options);
    },
    { wires: [{ ...wire, createTranslator }] },
  );
  const response = await route.POST(post({ say: "Hi" }));
  expect([response.status, await response.json()]).toEqual([
    500,
    expect.objectContaining({ error: "Something went wrong on the server.", code: "internal" }),
  ]);
  await vi.waitFor(() => expect(signal!.aborted).toBe(true));
  expect(log).toHaveBeenCalledTimes(1);
});
