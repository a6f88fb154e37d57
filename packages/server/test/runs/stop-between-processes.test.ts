import type { ChildProcess } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ChatRoute } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { startChild } from "../stores/run-store-child.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";

/** The report of the child about a session. */
interface Report {
  isAborted?: true;
  text?: string;
}

/** Slow responses have comments, which these tests ignore. */
const withoutComments = (text: string) => text.replaceAll(/^:.*\n\n/gm, "");

describeStores(({ name, isShared, setUp }) => {
  if (!isShared) return;

  describe(`a run in ${name} whose agent is in another process`, () => {
    let fixture: RunStoreFixture;
    let store: RunStore;
    let route: ChatRoute;
    let child: ChildProcess;
    let exited: Promise<unknown>;
    let reports: Map<string, Report>;

    beforeEach(async () => {
      fixture = setUp();
      store = fixture.create();
      route = createChatRoute({
        agent: { streamChat: () => [] },
        authorize: () => "ann",
        runs: { store },
      });
      reports = new Map();
      child = startChild("../runs/stop-between-processes.mjs", [JSON.stringify(fixture.address)]);
      exited = new Promise((resolve) => child.once("exit", resolve));
      await new Promise<void>((resolve, reject) => {
        child.once("exit", () => reject(new Error("The child has ended.")));
        child.on("message", (message: "ready" | ({ sessionId: string } & Report)) => {
          if (message === "ready") return resolve();
          reports.set(message.sessionId, { ...reports.get(message.sessionId), ...message });
        });
      });
    });
    afterEach(async () => {
      child.kill("SIGKILL");
      await exited;
      await store.close();
      fixture.dispose();
    });

    const send = (method: string, query: string) =>
      route.fetch(new Request(`http://host/?${query}`, { method }));

    /** Starts a run in the child, and follows it here once its agent waits in its tool. */
    async function start(sessionId: string) {
      child.send({ sessionId });
      const isIdle = async () => {
        const run = await store.latest("ann", sessionId);
        return run?.lastSeq === 2 ? run : undefined;
      };
      const { runId } = await vi.waitUntil(isIdle, { interval: 5 });
      return { runId, text: (await send("GET", `session=${sessionId}`)).text() };
    }

    test("can be stopped from here, which aborts its agent", async () => {
      for (let count = 0; count < 9; count++) {
        const sessionId = `s${count}`;
        const { runId, text } = await start(sessionId);
        const response = await send("DELETE", `run=${runId}`);
        expect(await response.json()).toEqual({ runId, terminal: { type: "abort", reason: "stopped" } });
        // These come in either order.
        await vi.waitUntil(
          () => reports.get(sessionId)?.text !== undefined && reports.get(sessionId)?.isAborted === true,
          { interval: 5 },
        );

        // Both processes saw the same, and the tool's late result is in neither answer.
        const seen = await text;
        expect(withoutComments(seen).replaceAll(runId, "RUN")).toBe(
          `id: RUN.0\ndata: {"type":"run-start","runId":"RUN","sessionId":"${sessionId}","input":{"role":"user","content":"Hi"},"acceptsParts":true}\n\n` +
            'id: RUN.1\ndata: {"type":"text-delta","delta":"Looking"}\n\n' +
            'id: RUN.2\ndata: {"type":"tool-call-start","tool":"search","toolCallId":"c","input":{}}\n\n' +
            'id: RUN.3\ndata: {"type":"abort","reason":"stopped"}\n\n' +
            "data: [DONE]\n\n",
        );
        expect(withoutComments(reports.get(sessionId)!.text!)).toBe(withoutComments(seen));
        const again = await (await send("GET", `run=${runId}`)).text();
        expect(withoutComments(again)).toBe(withoutComments(seen));
      }
    });

    test("continues while another run of its process is stopped", async () => {
      const first = await start("first");
      const second = await start("second");
      const response = await send("DELETE", "session=first");
      expect((await response.json()).runId).toBe(first.runId);
      expect(await first.text).toContain('{"type":"abort","reason":"stopped"}');
      expect((await store.read(second.runId, -1, 10))?.run.terminal).toBe(undefined);
      expect(reports.get("second")).toBe(undefined);
      await send("DELETE", `run=${second.runId}`);
      await second.text;
    });

    test("ends for followers here with an error and [DONE] if its process dies", async () => {
      const quick = fixture.create({ leaseMs: 300 });
      const runs = createChatRoute({
        agent: { streamChat: () => [] },
        authorize: () => "ann",
        runs: { store: quick },
      });
      const { runId, text } = await start("s");
      child.kill("SIGKILL");
      // Its lease is long. This renewal replaces it with a short one, as of a producer that died later.
      await quick.renew(runId);
      const followed = await runs.GET(new Request(`http://host/?run=${runId}&after=2`));
      const lost =
        '{"type":"error","message":"The answer was interrupted on the server.","code":"producer-lost","retryable":true}';
      expect(withoutComments(await followed.text())).toBe(
        `id: ${runId}.3\ndata: ${lost}\n\ndata: [DONE]\n\n`,
      );
      expect(await text).toContain(lost);
      await quick.close();
    });
  });
});
