/** What the readers of a run see when its store fails, for every store. */
import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ChatAgentOptions } from "../../src/route/chat-agent.ts";
import type { ChatRoute } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunFinish } from "../../src/runs/run-options.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";
import { createFaultyRunStores, type Faults } from "../../src/testing/faulty-run-store.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const withoutComments = (text: string) => text.replaceAll(/^:.*\n\n/gm, "");
const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const producerLost =
  '{"type":"error","message":"The answer was interrupted on the server.","code":"producer-lost","retryable":true}';
const runLost =
  'data: {"type":"error","message":"This answer is no longer available. Please ask again.","code":"run-lost","retryable":true}\n\n' +
  "data: [DONE]\n\n";

/** The server gave the connection up, and its client will reconnect. */
const givenUp = /retry: \d+\n\n$/;

describeStores(({ name, isShared, setUp }) => {
  describe(`a store that fails: ${name}`, () => {
    let fixture: RunStoreFixture;
    let inner: RunStore[];
    let faults: Faults;
    /** The stores of the process that writes, and of one that follows. */
    let store: RunStore;
    let other: RunStore;
    let signals: AbortSignal[];
    let finishes: RunFinish[];

    function use(leaseMs: number): void {
      const first = fixture.create({ leaseMs });
      const second = isShared ? fixture.create({ leaseMs }) : first;
      inner.push(first, second);
      ({
        faults,
        stores: [store, other],
      } = createFaultyRunStores(first, second));
    }
    beforeEach(() => {
      fixture = setUp();
      inner = [];
      signals = [];
      finishes = [];
      log.mockClear();
    });
    afterEach(async () => {
      await Promise.all(inner.map((created) => created.close()));
      fixture.dispose();
    });

    function routeOf(of: RunStore, agent?: (options: ChatAgentOptions) => AsyncIterable<StreamChunk>) {
      return createChatRoute({
        agent: {
          streamChat(_, options) {
            signals.push(options.signal!);
            return agent?.(options) ?? [];
          },
        },
        authorize: () => "ann",
        runs: { store: of, onFinish: (finish) => finishes.push(finish) },
      });
    }

    async function* words(): AsyncGenerator<StreamChunk> {
      for (let count = 0; count < 40; count++) {
        yield delta(`${count} `);
        await pause(2);
      }
      yield { type: "done" };
    }

    const post = (route: ChatRoute) =>
      route.POST(
        new Request("http://host/", {
          method: "POST",
          headers: { "content-type": "application/json", accept: "text/event-stream" },
          body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], sessionId: "s" }),
        }),
      );
    const get = async (route: ChatRoute, query: string) => {
      const response = await route.GET(new Request(`http://host/?${query}`));
      expect(response.status).toBe(200);
      return response;
    };

    /** A whole answer without comments. Fails instead of hanging. */
    async function textOf(response: Response): Promise<string> {
      let timer!: NodeJS.Timeout;
      const hangs = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("The connection does not end.")), 20_000);
      });
      const text = await Promise.race([response.text(), hangs]);
      clearTimeout(timer);
      return withoutComments(text);
    }

    async function entriesOf(runId: string): Promise<StreamChunk[]> {
      const page = await store.read(runId, -1, 1000);
      return page!.entries.map((entry) => JSON.parse(entry));
    }

    /** Expects one log, written once and seen in full by every follower. */
    async function expectWhole(fail: () => Promise<unknown>): Promise<void> {
      const answered = post(routeOf(store, words));
      const failing = fail();
      const first = await answered;
      const texts = await Promise.all([textOf(first), textOf(await get(routeOf(other), "session=s"))]);
      await failing;
      const { runId } = (await store.latest("ann", "s"))!;
      const entries = await entriesOf(runId);
      expect(entries.slice(1)).toEqual([
        ...Array.from({ length: 40 }, (_, count) => delta(`${count} `)),
        { type: "done" },
      ]);
      const frames = entries.map((entry, seq) => `id: ${runId}.${seq}\ndata: ${JSON.stringify(entry)}\n\n`);
      for (const text of texts) expect(text).toBe(`${frames.join("")}data: [DONE]\n\n`);
      expect(signals.length).toBe(1);
    }

    /** A run with entries, whose producer has gone silent. */
    async function silentRun(): Promise<string> {
      const runId = await openRun(store);
      await store.append(
        runId,
        0,
        ["0", "1", "2", "3"].map((text) => JSON.stringify(delta(text))),
      );
      return runId;
    }
    const frameOf = (runId: string, seq: number, json = JSON.stringify(delta(`${seq}`))) =>
      `id: ${runId}.${seq}\ndata: ${json}\n\n`;

    test("that replies late loses and repeats nothing", async () => {
      use(3000);
      await expectWhole(async () => {
        faults.lateMs = 20;
      });
    });

    test("that executes commands twice loses and repeats nothing", async () => {
      use(3000);
      faults.methods = ["append", "renew", "end", "read", "latest"];
      await expectWhole(async () => {
        faults.executesTwice = true;
      });
    });

    test("that executes commands but loses the replies loses and repeats nothing", async () => {
      use(3000);
      faults.methods = ["append", "renew", "end", "read"];
      await expectWhole(async () => {
        for (let count = 0; count < 3; count++) {
          await pause(20);
          faults.losesReplies = "rejects";
          await pause(20);
          faults.losesReplies = false;
        }
      });
    });

    test("that never replies ends the run after a lease", async () => {
      use(200);
      const response = await post(
        routeOf(store, async function* ({ signal }) {
          yield delta("0");
          faults.methods = ["append", "renew", "end"];
          faults.losesReplies = "never";
          yield delta("1");
          await new Promise((resolve) => signal!.addEventListener("abort", resolve));
        }),
      );
      const { runId } = (await store.latest("ann", "s"))!;
      expect(await textOf(response)).toContain(`${producerLost}\n\ndata: [DONE]\n\n`);
      await expect.poll(() => signals[0]?.aborted).toBe(true);
      await expect.poll(() => finishes.length).toBe(1);
      expect((await entriesOf(runId)).at(-1)).toEqual(JSON.parse(producerLost));
    });

    test("reports a vanished producer to followers, even if every wait is short", async () => {
      use(300);
      faults.maxWaitMs = 20;
      const runId = await silentRun();
      expect(await textOf(await get(routeOf(other), `run=${runId}&after=2`))).toBe(
        `${frameOf(runId, 3)}${frameOf(runId, 4, producerLost)}data: [DONE]\n\n`,
      );
    });

    test("that can be read but not written ends its followers' connections without a terminal", async () => {
      use(100);
      const runId = await silentRun();
      faults.isReadOnly = true;
      const text = await textOf(await get(routeOf(other), `run=${runId}`));
      expect(text).toMatch(givenUp);
      expect(text.replace(givenUp, "")).toBe([0, 1, 2, 3].map((seq) => frameOf(runId, seq)).join(""));
      expect(log.mock.calls[0]).toEqual([
        `Run ${runId} cannot be read, because the run store failed for a whole lease:`,
        new Error("The store cannot be written."),
      ]);
    });

    test("that is unavailable for a lease ends its followers' connections without a terminal", async () => {
      use(300);
      const runId = await silentRun();
      const response = await get(routeOf(other), `run=${runId}&after=3`);
      faults.isAway = true;
      expect(await textOf(response)).toMatch(/^retry: \d+\n\n$/);
    });

    test("that is back is followed again at once, even if another client does not read", async () => {
      use(300);
      const runId = await silentRun();
      const route = routeOf(other);
      const unread = await get(route, `run=${runId}`);
      const response = await get(route, `run=${runId}&after=3`);
      faults.isAway = true;
      expect(await textOf(response)).toMatch(givenUp);
      faults.isAway = false;
      expect(await textOf(await get(route, `run=${runId}&after=3`))).toBe(
        `${frameOf(runId, 4, producerLost)}data: [DONE]\n\n`,
      );
      await unread.body!.cancel();
    });

    test("that has lost entries is followed as it is, even if an idle client has more entries", async () => {
      use(300);
      const runId = await silentRun();
      const route = routeOf(other);
      const unread = await get(route, `run=${runId}`);
      const response = await get(route, `run=${runId}&after=3`);
      await faults.loseWrites(runId, 2);
      expect(await textOf(response)).toBe(runLost);
      expect(await textOf(await get(route, `run=${runId}`))).toBe(
        `${frameOf(runId, 0)}${frameOf(runId, 1)}${frameOf(runId, 2, producerLost)}data: [DONE]\n\n`,
      );
      await unread.body!.cancel();
    });

    test.each([
      [2, "open"],
      [2, "ended"],
      [3, "ended at the position of a sent entry"],
      [0, "gone"],
    ])("that has lost all but %i entries of a run reports the run as lost: %s", async (length, state) => {
      use(60_000);
      const runId = await silentRun();
      const responses = [
        await get(routeOf(store), `run=${runId}`),
        await get(routeOf(other), `run=${runId}`),
      ];
      const texts = responses.map(textOf);
      // Gives every feed time to read the run.
      await pause(50);
      await faults.loseWrites(runId, length);
      if (state.startsWith("ended")) await store.end(runId, { type: "done" });
      for (const text of await Promise.all(texts)) {
        expect(text).toBe([0, 1, 2, 3].map((seq) => frameOf(runId, seq)).join("") + runLost);
      }
      if (length === 0 || length === 3) return;
      const again = await get(routeOf(other), `run=${runId}&after=3`);
      expect(await textOf(again)).toBe(runLost);
    });

    test("that loses entries during an answer ends the run and its agent", async () => {
      use(60_000);
      let proceed!: () => void;
      const proceeding = new Promise<void>((resolve) => (proceed = resolve));
      const response = await post(
        routeOf(store, async function* () {
          yield delta("0");
          yield delta("1");
          await proceeding;
          yield delta("2");
          await new Promise(() => {});
        }),
      );
      const { runId } = (await store.latest("ann", "s"))!;
      await expect.poll(async () => (await entriesOf(runId)).length).toBe(3);
      await faults.loseWrites(runId, 2);
      proceed();
      const text = await textOf(response);
      expect(text.endsWith(runLost) || text.endsWith(`${producerLost}\n\ndata: [DONE]\n\n`)).toBe(true);
      await expect.poll(() => signals[0]?.aborted).toBe(true);
      await expect.poll(async () => (await entriesOf(runId)).at(-1)).toEqual(JSON.parse(producerLost));
    });
  });
});
