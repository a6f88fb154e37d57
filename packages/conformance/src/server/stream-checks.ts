/** Checks of one answer: its response, its bytes, its chunks and its end. */
import { checkChunk, joinTextParts, reduceMessage } from "@kortyx/protocol";
import { check, checkSame, NotTried, show } from "../check-failure.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { Check } from "./check.ts";
import { bodyOf, prompts, type Target } from "./target.ts";
import { checkEnd, findWireProblem } from "./wire.ts";

/** Characters that writers get wrong: quotes, line ends of every kind, and those beyond one, two and three bytes. */
const awkward = 'One "two"\n\\three/\r\nfour\ttab é € 😀 a\u0085b\u2028c\u2029d end.';

/** The text of the exception with which the agent fails. */
const secret = "conformance-secret";
const hidden = `an error without ${secret}`;

async function textOf(target: Target, prompt: string): Promise<string> {
  const { bytes } = await (await target.ask(prompt)).readBytes();
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

const echo = async (target: Target): Promise<AnswerStream> =>
  (await target.ask(prompts.echo(awkward))).readAll();

const fail = async (target: Target): Promise<AnswerStream> => (await target.ask(prompts.fail)).readAll();

const checkOutcome = (stream: AnswerStream, expected: AnswerStream["outcome"]): void =>
  check(stream.outcome === expected, `a complete answer whose outcome is ${expected}`, stream.describe());

export const streamChecks: Check[] = [
  {
    name: "a POST gets a stream",
    section: "2.1",
    async run(target) {
      await (await target.post(prompts.echo("Hello"))).stream();
    },
  },
  {
    name: "the response must not be cached",
    section: "2.1",
    isAdvice: true,
    async run(target) {
      const { headers } = await target.post(prompts.echo("Hello"));
      const value = headers.get("cache-control") ?? "";
      check(/\bno-(cache|store)\b/.test(value), "cache-control: no-cache", `cache-control: ${value}`);
    },
  },
  {
    name: "nginx is asked not to buffer",
    section: "2.1",
    isAdvice: true,
    async run(target) {
      const { headers } = await target.post(prompts.echo("Hello"));
      const value = headers.get("x-accel-buffering");
      if (/nginx/i.test(headers.get("server") ?? "") && value === null)
        throw new NotTried("The response comes through nginx, which reads this header and removes it.");
      check(value === "no", "x-accel-buffering: no", `x-accel-buffering: ${value}`);
    },
  },
  {
    name: "every block of lines follows the grammar",
    section: "2.2",
    async run(target) {
      for (const prompt of [prompts.echo(awkward), prompts.fail]) {
        const problem = findWireProblem(await textOf(target, prompt));
        check(problem === undefined, "blocks as in the grammar", problem);
      }
    },
  },
  {
    name: "characters that end a line for some readers are escaped",
    section: "2.2 (2)",
    async run(target) {
      const [found] = /[\u0085\u2028\u2029]/.exec(await textOf(target, prompts.echo(awkward))) ?? [];
      check(
        found === undefined,
        "\\u0085, \\u2028 and \\u2029",
        `the character ${found?.charCodeAt(0).toString(16)}`,
      );
    },
  },
  {
    name: "optional fields without a value are left out",
    section: "2.2 (4)",
    isAdvice: true,
    async run(target) {
      for (const chunk of (await echo(target)).chunks) {
        const isEmpty = Object.values(chunk).includes(null) && checkChunk(chunk)?.code === "invalid-chunk";
        check(!isEmpty, "no null in an optional field", chunk);
      }
    },
  },
  {
    name: "every chunk has its fields",
    section: "2.4",
    async run(target) {
      await echo(target);
      await fail(target);
    },
  },
  {
    name: "the text arrives unchanged",
    section: "7.1",
    async run(target) {
      checkSame((await echo(target)).answerText, awkward, "the text of the prompt");
    },
  },
  {
    name: "the answer is complete, and its outcome is done",
    section: "3.2",
    async run(target) {
      checkOutcome(await echo(target), "done");
    },
  },
  {
    name: "[DONE] ends a complete answer",
    section: "2.2 (5)",
    async run(target) {
      const stream = await echo(target);
      check(stream.isMarkedAsDone, "[DONE]", stream.describe());
    },
  },
  {
    name: "nothing but [DONE] follows a done, and nothing follows [DONE]",
    section: "2.2 (6)",
    async run(target) {
      for (const prompt of [prompts.echo(awkward), prompts.fail]) checkEnd(await textOf(target, prompt));
    },
  },
  {
    name: "an agent that fails ends its answer with an error, after what it had written",
    section: "3.2",
    async run(target) {
      const stream = await fail(target);
      checkOutcome(stream, "failed");
      const hasText = stream.chunks.some(({ type }) => type === "text-delta" || type === "message");
      check(hasText, "the text before the failure", stream.describe());
    },
  },
  {
    name: "[DONE] ends a failed answer",
    section: "2.2 (5)",
    async run(target) {
      const stream = await fail(target);
      check(stream.isMarkedAsDone, "[DONE] after the error", stream.describe());
    },
  },
  {
    name: "the text of the agent's exception stays on the server",
    section: "8.8",
    async run(target) {
      const text = await textOf(target, prompts.fail);
      check(!text.includes(secret), hidden, text);
    },
  },
  {
    name: "a chunk is sent when the agent has it",
    section: "2.2 (7)",
    async run(target) {
      const stream = await target.pause();
      check(stream.outcome === "cut off", "an answer that waits", stream.describe());
    },
  },
  {
    name: "heartbeats come as announced",
    section: "2.5",
    isSlow: true,
    async run(target) {
      const stream = await target.pause();
      if (stream.heartbeatMs === undefined) {
        await stream.readUntilBytes(":hb=", "a heartbeat", target.timeoutMs).catch(() => {});
      }
      const { heartbeatMs } = stream;
      if (!heartbeatMs) throw new NotTried("It announced none while it was watched.");
      // When a reader takes the connection for dead.
      await stream.readUntilBytes(`:hb=`, "the line :hb=<ms> in silence", 3 * heartbeatMs + 2000);
    },
  },
  {
    name: 'the answer to "stream": false is one JSON value',
    section: "6",
    async run(target) {
      const body = { ...bodyOf(prompts.echo(awkward)), stream: false };
      const answer = await (await target.request("POST", { body })).json(200);
      checkSame(answer.text, awkward, "text");
      checkSame(answer.structured, [], "structured");
      const chunks = Array.isArray(answer.chunks) ? answer.chunks : [];
      const last = chunks.at(-1);
      check(chunks.length > 1 && last?.type === "done", "chunks, up to a done", answer.chunks);
      for (const chunk of chunks) {
        const problem = checkChunk(chunk);
        check(problem?.code !== "invalid-chunk", "valid chunks", problem?.message);
      }
      checkSame(joinTextParts(reduceMessage(chunks).parts), awkward, "the text of the chunks");
    },
  },
  {
    name: 'a failed answer to "stream": false has status 500 and the error',
    section: "6",
    async run(target) {
      const reply = await target.request("POST", { body: { ...bodyOf(prompts.fail), stream: false } });
      const body = await reply.json(500);
      const { error, code, chunks } = body;
      check(!show(body).includes(secret), hidden, body);
      // One whose agent fails before the stream begins is refused instead.
      if (typeof error === "string" && typeof code === "string") return;
      const isError = checkChunk(error) === undefined && Array.isArray(chunks);
      check(isError, "chunks and an error, or the text and the code of a refusal", { error, code, chunks });
    },
  },
];
