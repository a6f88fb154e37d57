/** Checks of runs: the log of an answer, who gets which part of it, and repeated requests. */
import { randomUUID } from "node:crypto";
import { isTerminalChunk, parseEventId } from "@kortyx/protocol";
import { check, checkSame, NotTried } from "../check-failure.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { Check, Entry } from "./check.ts";
import { checkRefusal } from "./request-checks.ts";
import { prompts, type Target } from "./target.ts";
import { checkEnd, findWireProblem } from "./wire.ts";

const text = "One two three.";

/** An answer that has ended, with its run. */
export async function askRun(
  target: Target,
  fields: object = {},
): Promise<{ stream: AnswerStream; run: string }> {
  const stream = await (await target.ask(prompts.echo(text), fields)).readAll();
  return { stream, run: runOf(stream) };
}

export function runOf(stream: AnswerStream): string {
  const run = stream.runId;
  check(run !== undefined, "event ids of the form <run-id>.<position>", stream.describe());
  return run;
}

/** Compares the rest of a run with its log. */
async function checkRest(rest: AnswerStream, log: readonly Entry[], from: number): Promise<void> {
  await rest.readAll();
  checkSame(rest.entries, log.slice(from), `the events from position ${from}`);
}

const isLast = (stream: AnswerStream): boolean => {
  const last = stream.chunks.at(-1);
  return last !== undefined && (isTerminalChunk(last) || last.type === "error");
};

const logChecks: Check[] = [
  {
    name: "the events of a run are numbered from 0, without a gap",
    section: "4",
    async run(target) {
      const { stream, run } = await askRun(target);
      checkSame(
        stream.ids,
        stream.entries.map((_, position) => `${run}.${position}`),
        "the event ids",
      );
    },
  },
  {
    name: "a run begins with its run-start, which names it",
    section: "4",
    async run(target) {
      const { stream, run } = await askRun(target);
      const [first] = stream.chunks;
      check(first?.type === "run-start" && first.runId === run, `a run-start of ${run}`, stream.describe());
    },
  },
  {
    name: "each answer is a run of its own",
    section: "4",
    async run(target) {
      const runs = [(await askRun(target)).run, (await askRun(target)).run];
      check(runs[0] !== runs[1], "two run ids", runs);
    },
  },
  {
    name: "the stream of an open run announces its heartbeats before the first event",
    section: "2.5",
    async run(target) {
      const stream = await target.pause();
      const followed = await (await target.get({ run: runOf(stream) })).stream();
      await followed.readUntil(({ id }) => id !== "", "the first event");
      for (const { bytes } of [stream, followed]) {
        const [opening = ""] = bytes.toString().split(/^(?:id|data):/m);
        check(/^:hb=\d{1,9}$/m.test(opening), ":hb=<ms> before the first event", JSON.stringify(opening));
      }
    },
  },
  {
    name: "a run has one terminal, at its end",
    section: "4",
    async run(target) {
      for (const prompt of [prompts.echo(text), prompts.fail]) {
        const stream = await (await target.ask(prompt)).readAll();
        const terminals = stream.chunks.filter((chunk) => isTerminalChunk(chunk));
        const isOne = isLast(stream) && terminals.length === (stream.chunks.at(-1)?.type === "error" ? 0 : 1);
        check(isOne, "one done, abort or error, which is the last chunk", stream.describe());
      }
    },
  },
  {
    name: "a client that has not shown that it reads ids gets none",
    section: "4.1",
    isAdvice: true,
    async run(target) {
      const stream = await (await target.ask(prompts.echo(text), {}, { accept: "*/*" })).readAll();
      checkSame([...new Set(stream.ids)], [""], "no event ids");
    },
  },
];

const resumeChecks: Check[] = [
  {
    name: "an ended run is resumed after every position",
    section: "4.3",
    async run(target) {
      const { stream } = await askRun(target);
      for (const [position, id] of stream.ids.slice(0, -1).entries()) {
        await checkRest(await (await target.get({}, id)).stream(), stream.entries, position + 1);
      }
    },
  },
  {
    name: "a failed run is resumed with its error",
    section: "4.3",
    async run(target) {
      const stream = await (await target.ask(prompts.fail)).readAll();
      const rest = await (await target.get({}, `${runOf(stream)}.0`)).stream();
      await checkRest(rest, stream.entries, 1);
      check(rest.outcome === "failed", "the outcome failed", rest.describe());
    },
  },
  {
    name: "a resumed stream follows the grammar, and has one end",
    section: "2.2",
    async run(target) {
      for (const prompt of [prompts.echo(text), prompts.fail]) {
        const stream = await (await target.ask(prompt)).readAll();
        const rest = await (await target.get({}, `${runOf(stream)}.0`)).stream();
        const written = (await rest.readBytes()).bytes.toString();
        const problem = findWireProblem(written);
        check(problem === undefined, "blocks as in the grammar", problem);
        check(
          written.endsWith("\n\ndata: [DONE]\n\n"),
          "[DONE] at the end",
          JSON.stringify(written.slice(-200)),
        );
        checkEnd(written);
      }
    },
  },
  {
    name: "a run is found by ?run=, and by ?run= with ?after=",
    section: "4.3",
    async run(target) {
      const { stream, run } = await askRun(target);
      await checkRest(await (await target.get({ run })).stream(), stream.entries, 0);
      await checkRest(await (await target.get({ run, after: "1" })).stream(), stream.entries, 2);
    },
  },
  {
    name: "Last-Event-ID takes precedence over the query",
    section: "4.3 (1)",
    async run(target) {
      const { stream, run } = await askRun(target);
      const reply = await target.get({ run, after: "0" }, `${run}.1`);
      await checkRest(await reply.stream(), stream.entries, 2);
    },
  },
  {
    name: "204: nothing follows the last event",
    section: "4.3 (2)",
    async run(target) {
      const { stream } = await askRun(target);
      const reply = await target.get({}, stream.lastEventId);
      check(reply.status === 204, "status 204", await reply.excerpt());
    },
  },
  {
    name: "a connection that is lost in mid-answer is resumed, also by two readers",
    section: "4.3",
    async run(target) {
      const stream = await target.pause();
      const run = runOf(stream);
      if (stream.mustStay) throw new NotTried("It sends :stay, so the run may end with its connection.");
      await stream.cancel();
      const after = `${run}.0`;
      const readers = [
        await (await target.get({}, after)).stream(),
        await (await target.get({ run })).stream(),
      ];
      const position = parseEventId(stream.lastEventId)?.seq ?? 0;
      for (const reader of readers) {
        await reader.readUntil(({ id }) => id === `${run}.${position}`, `the event ${run}.${position}`);
      }
      checkSame(readers[0]!.entries, stream.entries.slice(1), "the events after the first");
      checkSame(readers[1]!.entries, stream.entries, "all events");
    },
  },
  {
    name: "an unknown run is refused",
    section: "4.3 (3)",
    async run(target) {
      await checkRefusal(await target.get({ run: randomUUID() }), 404, "run-not-found");
      await checkRefusal(await target.get({}, `${randomUUID()}.1`), 404, "run-not-found");
    },
  },
  {
    name: "a malformed event id is refused",
    section: "6",
    async run(target) {
      const { run } = await askRun(target);
      const long = `${"r".repeat(127)}.0`;
      for (const id of ["no-position", `${run}.01`, `${run}.1x`, `${run}.-1`, `${run}.`, ".0", long])
        await checkRefusal(await target.get({}, id), 400, "invalid-cursor");
    },
  },
  {
    name: "a malformed position is refused",
    section: "6",
    async run(target) {
      const { run } = await askRun(target);
      for (const after of ["1x", "-1"])
        await checkRefusal(await target.get({ run, after }), 400, "invalid-cursor");
    },
  },
  {
    name: "a GET that names no run is refused",
    section: "6",
    async run(target) {
      await checkRefusal(await target.get({}), 400, "missing-run");
    },
  },
];

const keyChecks: Check[] = [
  {
    name: "a repeated POST with its idempotencyKey gets the same run, from its beginning or after Last-Event-ID",
    section: "4.3",
    async run(target) {
      const fields = { idempotencyKey: randomUUID() };
      const { stream, run } = await askRun(target, fields);
      await checkRest(await target.ask(prompts.echo(text), fields), stream.entries, 0);
      const headers = { accept: "text/event-stream", "last-event-id": `${run}.1` };
      await checkRest(await target.ask(prompts.echo(text), fields, headers), stream.entries, 2);
    },
  },
  {
    name: "two POSTs with one idempotencyKey at the same time get one run",
    section: "4.3",
    async run(target) {
      const fields = { idempotencyKey: randomUUID() };
      const streams = await Promise.all([target.pause(fields), target.pause(fields)]);
      const [first, second] = streams.map(runOf);
      check(first === second, "the same run", [first, second]);
    },
  },
  {
    name: "a repeated POST with the event id of another run is refused",
    section: "6",
    async run(target) {
      const fields = { idempotencyKey: randomUUID() };
      await askRun(target, fields);
      const headers = { accept: "text/event-stream", "last-event-id": `${(await askRun(target)).run}.0` };
      await checkRefusal(await target.post(prompts.echo(text), fields, headers), 400, "invalid-cursor");
    },
  },
  {
    name: "an idempotencyKey with another body is refused",
    section: "6",
    async run(target) {
      const fields = { idempotencyKey: randomUUID() };
      await askRun(target, fields);
      await checkRefusal(await target.post(prompts.echo("Another."), fields), 409, "key-conflict");
    },
  },
];

const sessionChecks: Check[] = [
  {
    name: "the latest run of a session is found, open and ended",
    section: "4.3",
    async run(target) {
      const session = randomUUID();
      await askRun(target, { sessionId: session });
      const { stream } = await askRun(target, { sessionId: session });
      await checkRest(await (await target.get({ session })).stream(), stream.entries, 0);
      await checkRest(await (await target.get({ session, after: "1" })).stream(), stream.entries, 2);
      const open = await target.pause({ sessionId: session });
      const followed = await (await target.get({ session })).stream();
      await followed.readUntil(({ id }) => id === open.lastEventId, "the open run of the session");
    },
  },
  {
    name: "the id of a session is trimmed",
    section: "5",
    async run(target) {
      const session = randomUUID();
      const { stream } = await askRun(target, { sessionId: ` ${session} ` });
      await checkRest(await (await target.get({ session })).stream(), stream.entries, 0);
    },
  },
  {
    name: "204: the session has no run",
    section: "4.3 (2)",
    async run(target) {
      const reply = await target.get({ session: randomUUID() });
      check(reply.status === 204, "status 204", await reply.excerpt());
    },
  },
];

export const runChecks: Check[] = [
  ...[...logChecks, ...resumeChecks, ...keyChecks].map((one): Check => ({ ...one, needs: "runs" })),
  ...sessionChecks.map((one): Check => ({ ...one, needs: "sessions" })),
];
