/** Checks of DELETE: a stop ends the run itself, for every reader. */
import { randomUUID } from "node:crypto";
import { check, checkSame } from "../check-failure.ts";
import type { Check } from "./check.ts";
import { checkRefusal } from "./request-checks.ts";
import { askRun, runOf } from "./run-checks.ts";
import { prompts, type Reply, type Target } from "./target.ts";

const isStop = (chunk: unknown): boolean => {
  const { type, reason } = (chunk ?? {}) as Record<string, unknown>;
  return type === "abort" && reason === "stopped";
};

const checkStop = (chunk: unknown, what: string): void =>
  check(isStop(chunk), `${what}: {"type":"abort","reason":"stopped"}`, chunk);

const stop = (target: Target, query: Record<string, string>): Promise<Reply> =>
  target.request("DELETE", { query });

async function checkStopped(reply: Reply, run: string): Promise<void> {
  const { runId, terminal } = await reply.json(200);
  checkSame(runId, run, "runId");
  checkStop(terminal, "terminal");
}

const checks: Check[] = [
  {
    name: "a stop ends the run for every reader, for good",
    section: "4.5",
    async run(target) {
      const stream = await target.pause();
      const run = runOf(stream);
      const follower = await (await target.get({ run })).stream();
      await checkStopped(await stop(target, { run }), run);
      for (const reader of [stream, follower, await (await target.get({ run })).stream()]) {
        await reader.readAll();
        checkStop(reader.chunks.at(-1), "the last chunk");
        checkSame(reader.entries, stream.entries, "the events of every reader");
      }
    },
  },
  {
    name: "[DONE] ends a stopped answer",
    section: "2.2 (5)",
    async run(target) {
      const stream = await target.pause();
      await stop(target, { run: runOf(stream) });
      await stream.readAll();
      check(stream.isMarkedAsDone, "[DONE] after the abort", stream.describe());
    },
  },
  {
    name: "a repeated stop gets the same response",
    section: "4.5",
    async run(target) {
      const run = runOf(await target.pause());
      await stop(target, { run });
      await checkStopped(await stop(target, { run }), run);
    },
  },
  {
    name: "a stop of an ended run changes nothing, and gets its terminal",
    section: "4.5",
    async run(target) {
      const { stream, run } = await askRun(target);
      const { runId, terminal } = await (await stop(target, { run })).json(200);
      const last = stream.chunks.at(-1);
      checkSame({ runId, terminal }, { runId: run, terminal: last }, "the run and its terminal");
      const again = await (await (await target.get({ run })).stream()).readAll();
      checkSame(again.chunks.at(-1), last, "the last chunk");
    },
  },
  {
    name: "a run is stopped by its idempotencyKey",
    section: "4.5",
    async run(target) {
      const key = randomUUID();
      const run = runOf(await target.pause({ idempotencyKey: key }));
      await checkStopped(await stop(target, { key }), run);
    },
  },
  {
    name: "a stop that comes before its POST stops the run at its start",
    section: "4.5",
    async run(target) {
      const key = randomUUID();
      const { runId, terminal } = await (await stop(target, { key })).json(202);
      checkSame({ runId, terminal }, { runId: null, terminal: null }, "the body");
      const stream = await (await target.ask(prompts.echo("Hello"), { idempotencyKey: key })).readAll();
      checkStop(stream.chunks.at(-1), "the last chunk");
      checkSame(stream.answerText, "", "the text before the stop");
    },
  },
  {
    name: "a stop of an unknown run is refused",
    section: "6",
    async run(target) {
      await checkRefusal(await stop(target, { run: randomUUID() }), 404, "run-not-found");
    },
  },
  {
    name: "a stop that names no run is refused",
    section: "6",
    async run(target) {
      await checkRefusal(await stop(target, {}), 400, "missing-run");
    },
  },
  {
    name: "a stop by a key that cannot be one is refused",
    section: "6",
    async run(target) {
      await checkRefusal(await stop(target, { key: "k".repeat(129) }), 400, "invalid-key");
    },
  },
  {
    name: "a stop by the session ends its open run",
    section: "4.5",
    needs: "sessions",
    async run(target) {
      const session = randomUUID();
      const stream = await target.pause({ sessionId: session });
      const run = runOf(stream);
      await checkStopped(await stop(target, { session }), run);
      await stream.readAll();
      check(stream.outcome === "aborted", "an aborted answer", stream.describe());
    },
  },
];

export const stopChecks: Check[] = checks.map((one) => ({ needs: "runs", ...one }));
