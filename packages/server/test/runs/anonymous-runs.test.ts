import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { ChatRunOptions } from "../../src/runs/run-options.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";

const post = (body: object = {}) =>
  new Request("http://host/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], ...body }),
  });

describeStores(({ name, isShared, setUp }) => {
  describe(`runs without owners in ${name}`, () => {
    let fixture: RunStoreFixture;
    let stores: RunStore[];
    beforeEach(() => {
      fixture = setUp();
      const first = fixture.create();
      stores = [first, isShared ? fixture.create() : first];
    });
    afterEach(async () => {
      await Promise.all(stores.map((store) => store.close()));
      fixture.dispose();
    });

    test("serve 20 visitors at once, who share nothing even if they choose the same session", async () => {
      const gate = Promise.withResolvers<void>();
      const owners = new Set<string | undefined>();
      const agent = createScriptedAgent([gate.promise, { type: "text-delta", delta: "Hello" }]);
      const routes = stores.map((store) => {
        const onStart: ChatRunOptions["onStart"] = ({ owner }) => owners.add(owner);
        return createChatRoute({
          agent,
          authorize: "anonymous",
          runs: { store, onStart },
        });
      });
      const responses = await Promise.all(
        Array.from({ length: 20 }, (_, index) => routes[index % 2]!.POST(post({ sessionId: "s" }))),
      );
      expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200));
      gate.resolve();
      const texts = await Promise.all(responses.map((response) => response.text()));
      for (const text of texts) expect(text).toContain("Hello");
      for (const { options } of agent.calls) owners.add(options.owner);
      expect(owners).toEqual(new Set(["", undefined]));
    });

    test("do not count towards maxOpenRuns, and are found by their idempotency key", async () => {
      const given = { owner: "", maxOpenRuns: 1 };
      const first = await openRun(stores[0]!, { ...given, key: "k" });
      await openRun(stores[1]!, given);
      await stores[0]!.append(first, 0, ["0"]);
      const again = await stores[1]!.open(opening({ ...given, key: "k" }));
      expect(again).toMatchObject({ status: "attached", run: { runId: first, owner: "" } });
      expect(await stores[1]!.open(opening({ ...given, owner: "ann" }))).toMatchObject({ status: "created" });
    });

    test("are not kept forever after they lose their producer and their followers", async () => {
      const hasty = fixture.create({ leaseMs: 20, retentionMs: 20 });
      stores.push(hasty);
      const runId = await openRun(hasty, { owner: "" });
      await hasty.append(runId, 0, ["0"]);
      await vi.waitFor(
        async () => {
          // In memory and in SQLite, other requests do the clean-up.
          await openRun(hasty, { owner: "" });
          expect(await logOf(hasty, runId)).toEqual([]);
        },
        { interval: 5 },
      );
    });
  });
});
