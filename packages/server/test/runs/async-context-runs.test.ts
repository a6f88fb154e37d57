/**
 * A run is started by one request, followed by others and stopped by a third. Its agent and its callbacks run in the async
 * context of the first request, and everything that requests share runs outside of any request.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type ChatAgentOptions,
  type ChatRunOptions,
  createChatRoute,
  createMemoryRunStore,
  drain,
  type RunStore,
} from "../../src/index.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";

const requests = new AsyncLocalStorage<string>();
vi.spyOn(console, "error").mockImplementation(() => {});

/** A process that drains cannot stop draining, so tests drop the registry instead. */
afterEach(() => {
  Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/streams"));
});

const until = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 20_000 });

/** Records in which requests each event happened. */
function createDiary() {
  const seen = new Map<string, Set<string | undefined>>();
  return {
    note(what: string) {
      seen.set(what, (seen.get(what) ?? new Set()).add(requests.getStore()));
    },
    where: (what: string) => [...(seen.get(what) ?? [])],
    entries: () => Object.fromEntries([...seen].map(([what, where]) => [what, [...where]])),
  };
}
type Diary = ReturnType<typeof createDiary>;

/** The same store, with its calls recorded. */
function noted(store: RunStore, diary: Diary): RunStore {
  return new Proxy(store, {
    get(target, name: keyof RunStore) {
      const value = target[name];
      if (typeof value !== "function") return value;
      return (...values: unknown[]) => {
        diary.note(name);
        return Reflect.apply(value, target, values);
      };
    },
  });
}

interface Served {
  store: RunStore;
  agent: (options: ChatAgentOptions) => AsyncIterable<StreamChunk>;
  diary: Diary;
  runs?: Partial<ChatRunOptions>;
}

const url = "http://host/api/chat";

/** A route whose callbacks are recorded, and requests to it, each in its own context. */
function serve({ store, agent, diary, runs }: Served) {
  const route = createChatRoute({
    agent: { streamChat: (_, options) => agent(options) },
    authorize: () => "ann",
    onError() {
      diary.note("onError");
      return "Please try again.";
    },
    runs: {
      store,
      onStart: () => diary.note("onStart"),
      onFinish: () => diary.note("onFinish"),
      ...runs,
    },
  });
  const send = (name: string, query: string, init: RequestInit = {}) =>
    requests.run(name, () => route.fetch(new Request(url + query, init)));
  return {
    post: (name: string, body: object = {}) =>
      send(name, "", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ sessionId: "s", messages: [{ role: "user", content: "Hi" }], ...body }),
      }),
    get: (name: string) => send(name, "?session=s"),
    stop: (name: string) => send(name, "?session=s", { method: "DELETE" }),
  };
}

/** Reads in its own context, piece by piece with pauses. */
const read = (name: string, response: Response) =>
  requests.run(name, async () => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const piece of response.body!) {
      text += decoder.decode(piece, { stream: true });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return text;
  });

/** An agent that waits for its signal after a first chunk. */
const waiting = (diary: Diary) =>
  async function* ({ signal }: ChatAgentOptions): AsyncGenerator<StreamChunk> {
    const aborted = new Promise<void>((resolve) => {
      signal?.addEventListener("abort", () => {
        diary.note("abort");
        resolve();
      });
    });
    try {
      diary.note("step");
      yield { type: "text-delta", delta: "Hello" };
      await aborted;
    } finally {
      diary.note("finally");
    }
  };

const leaseMs = 300;

describeStores(({ name, setUp }) => {
  describe(`a run in ${name}`, () => {
    let fixture: RunStoreFixture;
    let store: RunStore;
    const open = (diary: Diary) => {
      fixture = setUp();
      store = fixture.create({ leaseMs });
      return noted(store, diary);
    };
    afterEach(async () => {
      await store.close();
      fixture.dispose();
    });

    test("runs its agent and callbacks in the context of its request, and the feed, renewals and waits in none", async () => {
      const diary = createDiary();
      const { post, get } = serve({
        store: open(diary),
        diary,
        async *agent({ signal }) {
          diary.note("open");
          signal?.addEventListener("abort", () => diary.note("abort"));
          try {
            for (let step = 0; step < 300; step++) {
              diary.note("step");
              if (step % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
              yield { type: "message", content: "x".repeat(2000) };
            }
            // Stays silent until the lease is renewed.
            await until(() => expect(diary.where("renew").length).toBeGreaterThan(0));
            diary.note("step");
            throw new Error("The model is away.");
          } finally {
            diary.note("finally");
          }
        },
      });
      const first = await post("poster");
      const second = await get("follower");
      const texts = await Promise.all([read("reader 1", first), read("reader 2", second)]);
      for (const text of texts) expect(text).toContain("Please try again.");
      await until(() => expect(diary.where("onFinish").length).toBeGreaterThan(0));

      const { open: opened, append, end, latest, read: reads, wait, renew, ...rest } = diary.entries();
      expect({ renew, wait }).toEqual({ renew: [undefined], wait: [undefined] });
      // A follower that trails the feed reads for itself.
      expect(new Set(["follower", ...reads!])).toEqual(new Set(["follower", undefined]));
      expect([append, end, latest]).toEqual([["poster"], ["poster"], ["follower"]]);
      for (const what of ["onStart", "step", "finally", "onError", "onFinish"]) {
        expect([what, rest[what]]).toEqual([what, ["poster"]]);
      }
      expect(opened).toEqual(["poster"]);
      expect(rest.abort).toBeUndefined();
    });

    test("keeps its context when another request stops it", async () => {
      const diary = createDiary();
      const { post, stop } = serve({ store: open(diary), diary, agent: waiting(diary) });
      const text = read("reader", await post("poster"));
      await until(() => expect(diary.where("step")).toEqual(["poster"]));
      expect((await stop("stopper")).status).toBe(200);
      expect(await text).toContain('{"type":"abort","reason":"stopped"}');
      await until(() => expect(diary.where("onFinish").length).toBeGreaterThan(0));
      for (const what of ["abort", "finally", "onFinish"]) {
        await until(() => expect([what, diary.where(what)]).toEqual([what, ["poster"]]));
      }
    });
  });
});

describe("the end of a run keeps its context", () => {
  async function expectAllOfPoster(diary: Diary): Promise<void> {
    await until(() => expect(diary.where("onFinish").length).toBeGreaterThan(0));
    for (const what of ["abort", "finally", "onFinish"]) {
      await until(() => expect([what, diary.where(what)]).toEqual([what, ["poster"]]));
    }
  }

  test("after its maximum duration", async () => {
    const diary = createDiary();
    const store = createMemoryRunStore();
    const { post } = serve({ store, diary, agent: waiting(diary), runs: { maxRunDurationMs: 20 } });
    expect(await read("reader", await post("poster"))).toContain('"reason":"timeout"');
    await expectAllOfPoster(diary);
  });

  test("at the end of its process, and drain resolves after onFinish", async () => {
    const diary = createDiary();
    const { post } = serve({ store: createMemoryRunStore(), diary, agent: waiting(diary) });
    const text = read("reader", await post("poster"));
    await until(() => expect(diary.where("step")).toEqual(["poster"]));
    await requests.run("drain", () => drain({ deadlineMs: 0 }));
    expect(diary.where("onFinish")).toEqual(["poster"]);
    expect(await text).toContain('"reason":"shutdown"');
    await expectAllOfPoster(diary);
  });

  test("when its last follower leaves, with onDisconnect: cancel", async () => {
    const diary = createDiary();
    const store = createMemoryRunStore();
    const { post } = serve({ store, diary, agent: waiting(diary), runs: { onDisconnect: "cancel" } });
    const reader = (await post("poster")).body!.getReader();
    await until(() => expect(diary.where("step")).toEqual(["poster"]));
    await requests.run("leaver", () => reader.cancel());
    await expectAllOfPoster(diary);
  });

  test("when its store is unavailable for longer than its lease", async () => {
    const diary = createDiary();
    const store = createMemoryRunStore({ leaseMs: 60 });
    const away = async () => {
      throw new Error("The store is away.");
    };
    const failing = { ...store, renew: away, read: away };
    const { post } = serve({ store: failing, diary, agent: waiting(diary) });
    await post("poster");
    await expectAllOfPoster(diary);
  });
});

test("a buffered answer (`stream: false`) of a run keeps its context", async () => {
  const diary = createDiary();
  const { post } = serve({
    store: createMemoryRunStore(),
    diary,
    async *agent() {
      for (let step = 0; step < 20; step++) {
        diary.note("step");
        await new Promise((resolve) => setImmediate(resolve));
        yield { type: "text-delta", delta: "Hello" };
      }
    },
  });
  expect((await post("poster", { stream: false })).status).toBe(200);
  await until(() => expect(diary.where("onFinish")).toEqual(["poster"]));
  expect(diary.where("step")).toEqual(["poster"]);
});

describeStores(({ name, isShared, setUp }) => {
  // The memory store needs no timers.
  if (!isShared) return;

  test(`timers of ${name} that requests share run outside of any request`, async () => {
    const diary = createDiary();
    const fixture = setUp();
    const { setInterval } = globalThis;
    const intervals = vi.spyOn(globalThis, "setInterval").mockImplementation(((
      callback: () => void,
      delayMs: number,
    ) => {
      diary.note("interval");
      return setInterval(callback, delayMs);
    }) as typeof setInterval);
    const store = fixture.create({ leaseMs });
    const { post, stop } = serve({ store, diary, agent: waiting(diary) });
    const text = read("reader", await post("poster"));
    await until(() => expect(diary.where("step")).toEqual(["poster"]));
    await stop("stopper");
    await text;
    // The renewal of the lease, and the store's own timer.
    expect(intervals.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(diary.where("interval")).toEqual([undefined]);
    intervals.mockRestore();
    await until(() => expect(diary.where("onFinish").length).toBeGreaterThan(0));
    await store.close();
    fixture.dispose();
  });
});
