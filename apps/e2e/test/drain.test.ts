import { type IncomingMessage, request } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { type StreamProgram, startStreamProgram } from "./stream-program.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const bundles = fileURLToPath(new URL("../.tmp/drain/", import.meta.url));

/**
 * How long after its deadline a process may still run: the time to write the last pieces and to exit, on a busy
 * machine. A leak would keep the process alive for a minute, or forever.
 */
const exitMarginMs = 20_000;

/** Bundles each file of the program separately, as a framework does with routes and start-up code. */
beforeAll(async () => {
  const files = ["stream-program.mjs", "stream-routes.mjs", "drain-on-sigterm.mjs"];
  for (const file of files) {
    await build({
      entryPoints: [fixtures + file],
      outdir: bundles,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
      external: files.map((other) => `./${other}`),
    });
  }
});

let program: StreamProgram | undefined;
afterEach(async () => {
  await program?.kill();
  program = undefined;
});

/** A stream whose first chunk has arrived, and its whole text. */
async function openStream(path: string) {
  const response = await fetch(new URL(path, program!.url));
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("data: ")) text += (await reader.read()).value;
  const readAll = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text;
      text += value;
    }
  };
  const whole = readAll();
  // If a test fails before it reads the text, that failure must be the reported one.
  whole.catch(() => {});
  return { path, status: response.status, text: whole };
}

/** The last two events of a stream. */
const ending = (text: string) => text.split("\n\n").slice(-3);

const doneEnding = ['data: {"type":"done"}', "data: [DONE]", ""];
const shutdownEnding = ['data: {"type":"abort","reason":"shutdown"}', "data: [DONE]", ""];

const ways = ["to-sse", "send-stream"];

describe.each([
  {
    what: "the route and the signal handler bundled apart",
    main: `${bundles}stream-program.mjs`,
    copies: "2",
  },
  { what: "a program that is not bundled", main: undefined, copies: "1" },
])("$what", ({ main, copies }) => {
  test("on SIGTERM each of 200 streams ends in order, new ones get a 503, and the process exits on its own at its deadline", async () => {
    const deadlineMs = 3000;
    program = await startStreamProgram({ main, deadlineMs });
    expect(await program.readLine("Copies of the package:")).toBe(copies);
    const kinds = { answer: 40, endless: 30, quiet: 30 };
    const paths = Object.entries(kinds).flatMap(([kind, count]) =>
      ways.flatMap((way) => Array.from({ length: count }, () => `/${way}/${kind}`)),
    );
    const streams = await Promise.all(paths.map(openStream));
    expect(streams).toHaveLength(200);
    expect(new Set(streams.map((stream) => stream.status))).toEqual(new Set([200]));

    const signalledAt = performance.now();
    program.signal("SIGTERM");
    await program.readLine("Draining.");
    const messages = [{ role: "user", content: "answer" }];
    for (const asked of [
      fetch(`${program.url}/to-sse/answer`),
      fetch(`${program.url}/send-stream/answer`),
      fetch(`${program.url}/chat`, { method: "POST", body: JSON.stringify({ messages }) }),
    ]) {
      const refusal = await asked;
      expect(refusal.status).toBe(503);
      expect(refusal.headers.get("retry-after")).toBe("1");
      expect(refusal.headers.get("content-type")).toBe("application/json");
      expect(await refusal.json()).toMatchObject({ code: "draining" });
    }
    await fetch(`${program.url}/finish`);

    const texts = await Promise.all(streams.map(async ({ path, text }) => ({ path, text: await text })));
    const exit = await program.exited;
    const exitedAfterMs = performance.now() - signalledAt;
    for (const { path, text } of texts)
      expect(ending(text), path).toEqual(path.endsWith("answer") ? doneEnding : shutdownEnding);
    expect(exit).toEqual({ code: 0, signal: null });
    expect(program.lines.at(-1)).toBe('Drained: {"finished":80,"aborted":120}');
    expect(exitedAfterMs).toBeGreaterThan(deadlineMs - 100);
    expect(exitedAfterMs).toBeLessThan(deadlineMs + exitMarginMs);
  });

  test("the process does not wait for its deadline once the last stream has ended", async () => {
    program = await startStreamProgram({ main, deadlineMs: 60_000 });
    const streams = await Promise.all(ways.map((way) => openStream(`/${way}/answer`)));
    program.signal("SIGTERM");
    await program.readLine("Draining.");
    await fetch(`${program.url}/finish`);
    const startedAt = performance.now();
    for (const { text } of streams) expect(ending(await text)).toEqual(doneEnding);
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(exitMarginMs);
    expect(program.lines.at(-1)).toBe('Drained: {"finished":2,"aborted":0}');
  });
});

test("without an open stream the process exits at once", async () => {
  program = await startStreamProgram();
  const startedAt = performance.now();
  program.signal("SIGTERM");
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedAt).toBeLessThan(exitMarginMs);
  expect(program.lines.at(-1)).toBe('Drained: {"finished":0,"aborted":0}');
});

test("a chat whose body is still arriving when draining begins gets a 503", async () => {
  program = await startStreamProgram({ deadlineMs: 1000 });
  const open = await openStream("/to-sse/quiet");
  const headers = { "content-type": "application/json" };
  const asking = request(`${program.url}/chat`, { method: "POST", headers });
  const answered = new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    asking.once("error", reject);
    asking.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => {
        text += piece;
      });
      response.once("end", () => resolve({ status: response.statusCode, text }));
      response.once("error", reject);
    });
  });
  const body = JSON.stringify({ messages: [{ role: "user", content: "quiet" }] });
  asking.write(body.slice(0, 10));
  await program.readLine("A chat is requested.");
  program.signal("SIGTERM");
  await program.readLine("Draining.");
  asking.end(body.slice(10));
  const { status, text } = await answered;
  expect(status).toBe(503);
  expect(JSON.parse(text)).toMatchObject({ code: "draining" });
  expect(ending(await open.text)).toEqual(shutdownEnding);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(program.lines.at(-1)).toBe('Drained: {"finished":0,"aborted":1}');
});

/** A stream that is not read until the response is resumed. */
async function openUnread(path: string): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(program!.url + path)
      .once("response", resolve)
      .once("error", reject)
      .end();
  });
  return response.pause();
}

describe.each(ways)("%s", (way) => {
  test("a client that reads slowly receives its whole stream", async () => {
    program = await startStreamProgram({ deadlineMs: 500, lastBytesMs: 60_000 });
    const response = await openUnread(`/${way}/flood`);
    program.signal("SIGTERM");
    await program.readLine("Ended: shutdown");
    let text = "";
    response.setEncoding("utf8").on("data", (piece) => {
      text = (text + piece).slice(-1000);
    });
    // Its text shows whether the stream was cut.
    response.on("error", () => {});
    await new Promise((resolve) => response.resume().once("close", resolve));
    expect(ending(text)).toEqual(shutdownEnding);
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.lines.at(-1)).toBe('Drained: {"finished":0,"aborted":1}');
  });

  test("a client that does not read does not keep the process alive", async () => {
    const deadlineMs = 500;
    program = await startStreamProgram({ deadlineMs });
    const response = await openUnread(`/${way}/flood`);
    response.on("error", () => {});
    const signalledAt = performance.now();
    program.signal("SIGTERM");
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - signalledAt).toBeLessThan(deadlineMs + exitMarginMs);
    expect(program.lines.at(-1)).toBe('Drained: {"finished":0,"aborted":1}');
    response.destroy();
  });
});
