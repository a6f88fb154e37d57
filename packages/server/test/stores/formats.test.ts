/**
 * A deploy: processes of two versions share the runs. Each version reads, follows and ends the runs of the other.
 */
import type { ChildProcess } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ChatRoute } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { startChild } from "./run-store-child.ts";
import { describeStores, type RunStoreFixture } from "./run-stores.ts";
import { createStoreOf, keptVersionsOf, type StoreAddress } from "./store-of-version.ts";

interface Pair {
  here: string;
  there: string;
}

/** The newest kept version that cannot read the runs of the present one. */
const outdated: Record<string, string> = { Redis: "1" };

const versionsOf = (name: string) => keptVersionsOf(name === "Redis" ? "redis" : "sqlite");

/** Each version on either side, unless it refuses the other's runs. */
const pairsOf = (name: string): Pair[] =>
  versionsOf(name).flatMap((kept) => [
    { here: "present", there: kept },
    ...(Number(kept) <= Number(outdated[name]) ? [] : [{ here: kept, there: "present" }]),
  ]);

const questionOf = (sessionId: string, key = sessionId, content = "Count") => ({
  messages: [{ role: "user", content }],
  sessionId,
  idempotencyKey: key,
});
const one = '{"type":"text-delta","delta":"One"}';
const stopped = '{"type":"abort","reason":"stopped"}';

/** The events of an answer, from the agent's first chunk on. */
const eventsOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("data:") && !line.includes('"run-start"'))
    .map((line) => line.slice("data: ".length));

/** The format number that a store keeps with its runs. */
async function readFormat({ path, socketPath, prefix }: StoreAddress): Promise<unknown> {
  if (path !== undefined) {
    const database = new DatabaseSync(path);
    const found = database.prepare("PRAGMA user_version").get();
    database.close();
    return found;
  }
  const client = await createClient({ socket: { path: socketPath!, tls: false } }).connect();
  const found = await client.get(`${prefix}format`);
  client.destroy();
  return found;
}

describeStores(({ name, isShared, setUp }) => {
  if (!isShared) return;

  test(`the newest kept version has the current format of runs in ${name}`, async () => {
    const formats: unknown[] = [];
    for (const version of ["present", versionsOf(name).at(-1)!]) {
      const fixture = setUp();
      const store = await createStoreOf(version, fixture.address);
      await store.latest("ann", "s");
      formats.push(await readFormat(fixture.address));
      await store.close();
      fixture.dispose();
    }
    // If the format has changed, keep the new one too: `formats/freeze.mjs`.
    expect(formats[1]).toEqual(formats[0]);
  });

  const oldest = outdated[name];
  if (oldest !== undefined) {
    test(`an outdated version refuses the runs of the present one in ${name}`, async () => {
      const fixture = setUp();
      const present = await createStoreOf("present", fixture.address);
      const old = await createStoreOf(oldest, fixture.address);
      expect(await present.latest("ann", "s")).toBeUndefined();
      await expect(old.latest("ann", "s")).rejects.toThrow(
        "have format 2, of a newer version of @kortyx/server",
      );
      await Promise.all([present.close(), old.close()]);
      fixture.dispose();
    });
  }

  describe.each(pairsOf(name))(
    `runs of version $there in ${name}, used by version $here`,
    ({ here, there }) => {
      let fixture: RunStoreFixture;
      let store: RunStore;
      /** Of the other version, like the one in the other process. */
      let forADay: RunStore;
      let forAMoment: RunStore;
      let route: ChatRoute;
      let other: ChildProcess;
      /** The sessions of the other process whose agents were aborted, and the answers that it received. */
      const aborted: string[] = [];
      const answers = new Map<string, string>();

      beforeAll(async () => {
        fixture = setUp();
        forADay = await createStoreOf(there, fixture.address, { leaseMs: 86_400_000 });
        forAMoment = await createStoreOf(there, fixture.address, { leaseMs: 1 });
        // An outdated version must be there first.
        for (const other of [forADay, forAMoment]) await other.latest("ann", "s");
        store = await createStoreOf(here, fixture.address);
        const agent = { streamChat: () => [{ type: "done" } as const] };
        route = createChatRoute({ agent, authorize: () => "ann", runs: { store } });
        other = startChild("other-version.mjs", [
          JSON.stringify({ version: there, address: fixture.address }),
        ]);
        await new Promise<void>((resolve, reject) => {
          other.once("exit", () => reject(new Error("The other process has ended.")));
          other.on("message", (message: "ready" | { sessionId: string; text?: string }) => {
            if (message === "ready") resolve();
            else if (message.text === undefined) aborted.push(message.sessionId);
            else answers.set(message.sessionId, message.text);
          });
        });
      });
      afterAll(async () => {
        const exited = new Promise((resolve) => other.once("exit", resolve));
        other.kill("SIGKILL");
        await exited;
        await Promise.all([store, forADay, forAMoment].map((opened) => opened.close()));
        fixture.dispose();
      });

      const answerThere = (sessionId: string) => vi.waitUntil(() => answers.get(sessionId));

      function request(method: string, query: string, body?: object) {
        const headers = { "content-type": "application/json", accept: "text/event-stream" };
        const init = { method, headers, body: body === undefined ? null : JSON.stringify(body) };
        return route.fetch(new Request(`http://host/?${query}`, init));
      }

      /** Starts a run in the other process and follows it here. Resolves at its first chunk. @returns the whole text. */
      async function startThere(sessionId: string): Promise<{ text: Promise<string> }> {
        other.send({ body: questionOf(sessionId) });
        await vi.waitUntil(async () => (await store.latest("ann", sessionId))?.lastSeq === 1, {
          interval: 5,
        });
        const response = await request("GET", `session=${sessionId}`);
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        const readUntil = async (isEnough: () => boolean) => {
          while (!isEnough()) {
            const { done, value } = await reader.read();
            if (done) return text;
            text += value;
          }
          return text;
        };
        expect(await readUntil(() => text.includes("One"))).toContain("One");
        return { text: readUntil(() => false) };
      }

      test("an answer is found by its session and its key, and followed from either version", async () => {
        const { text } = await startThere("followed");
        const attached = await request("POST", "", questionOf("followed"));
        other.send({ proceed: "followed" });
        const whole = [one, '{"type":"text-delta","delta":", two"}', '{"type":"done"}', "[DONE]"];
        expect(eventsOf(await text)).toEqual(whole);
        expect(eventsOf(await attached.text())).toEqual(whole);
        expect(eventsOf(await answerThere("followed"))).toEqual(whole);
        const changed = questionOf("followed", "followed", "Count again");
        expect(await (await request("POST", "", changed)).json()).toMatchObject({ code: "key-conflict" });
      });

      test("an answer can be stopped, and blocks its session until then", async () => {
        const { text } = await startThere("stopped");
        const second = questionOf("stopped", "second");
        expect(await (await request("POST", "", second)).json()).toMatchObject({ code: "run-active" });
        const answer = await (await request("DELETE", "session=stopped")).json();
        expect(answer).toMatchObject({ terminal: JSON.parse(stopped) });
        expect(eventsOf(await text)).toEqual([one, stopped, "[DONE]"]);
        expect(eventsOf(await answerThere("stopped"))).toEqual([one, stopped, "[DONE]"]);
        await vi.waitUntil(() => aborted.includes("stopped"));
        expect((await request("POST", "", second)).status).toBe(200);
      });

      test("a run whose stop came first opens as stopped", async () => {
        expect((await request("DELETE", "key=early")).status).toBe(202);
        other.send({ body: questionOf("early") });
        expect(eventsOf(await answerThere("early"))).toEqual([stopped, "[DONE]"]);
      });

      test("a log is continued where it ended, and a lease lasts as long as its writer chose", async () => {
        const open = { owner: "ann", sessionId: undefined, key: undefined, bodyHash: "" };
        const limits = { maxOpenRuns: 8, allowActiveRun: false };
        await forADay.open({ runId: "long", ...open, ...limits });
        expect(await forADay.append("long", 0, ["0", "1"])).toBe("ok");
        expect(await store.endIfLeaseExpired("long")).toBeUndefined();
        expect(await store.append("long", 2, ["2"])).toBe("ok");
        expect(await forADay.append("long", 3, ["3"])).toBe("ok");
        expect((await store.read("long", 0, 9))?.entries).toEqual(["1", "2", "3"]);
        expect(await store.end("long", { type: "done" })).toEqual({ type: "done" });
        expect(await forADay.append("long", 4, ["4"])).toBe("ended");
        expect(await forADay.read("long", 2, 9)).toMatchObject({
          run: { lastSeq: 4, terminal: { type: "done" } },
          entries: ["3", '{"type":"done"}'],
        });

        await forAMoment.open({ runId: "short", ...open, ...limits });
        await vi.waitUntil(() => store.endIfLeaseExpired("short"));
        expect(await forAMoment.renew("short")).toBe("ended");
      });
    },
  );
});
