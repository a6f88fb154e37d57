/** One suite over every framework of the table in docs/frameworks.md. */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { pageOrigin } from "../routes/framework-route.ts";
import { appTargets } from "./framework-apps.ts";
import { type Answer, ask, type Question } from "./framework-client.ts";
import { processTargets } from "./framework-process.ts";
import { nodeTargets, type RunningTarget } from "./framework-targets.ts";

const targets = [...nodeTargets, ...appTargets, ...processTargets];
// Agents fail on purpose, and SvelteKit prints further steps after a build.
const log = vi.spyOn(console, "error").mockImplementation(() => {});
vi.spyOn(console, "log").mockImplementation(() => {});
afterEach(() => {
  log.mockClear();
});

const frame = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;
const done = `${frame({ type: "done" })}data: [DONE]\n\n`;

/** The two columns of the table in docs/frameworks.md. */
function readTable(): [name: string, recipe: string][] {
  const page = readFileSync(new URL("../../../docs/frameworks.md", import.meta.url), "utf8");
  const table = /\| framework \| recipe \|\n.*\n((?:\|.*\n)+)/.exec(page)![1]!;
  return [...table.matchAll(/^\| (.*?) \| (.*) \|$/gm)].map(([, name, recipe]) => [name!, recipe!]);
}

/** Code without its formatting, type annotations and export keywords. */
const bare = (code: string) =>
  code
    .replaceAll(/: never|: \{ request: Request \}|export (default )?(?=\w|\{ POST)|\s/g, "")
    .replaceAll(/,(?=[)}])/g, "");

test("every row of the table in docs/frameworks.md is a target here, mounted by the code of the row", () => {
  const files = [
    "test/framework-targets.ts",
    "test/framework-apps.ts",
    "routes/serve-on-bun.ts",
    "routes/serve-on-deno.ts",
    "routes/serve-on-workerd.ts",
  ];
  const source = files
    .map((file) => bare(readFileSync(new URL(`../${file}`, import.meta.url), "utf8")))
    .join("\n");
  const table = readTable();
  expect(table.map(([name]) => name).sort()).toEqual(targets.map(({ name }) => name).sort());
  for (const [name, recipe] of table) {
    const codes = [...recipe.matchAll(/`([^`]+)`/g)].map(([, code]) => bare(code!));
    expect(codes.length, name).toBeGreaterThan(0);
    for (const code of codes.filter((code) => /\W/.test(code))) expect(source, name).toContain(code);
  }
});

describe.skipIf(!isInstalled()).each(targets)("$name", ({ protocol, setsCookie, redirectStatus, start }) => {
  let running: RunningTarget;
  let reports: string[] = [];
  const answers: Answer[] = [];
  beforeAll(async () => {
    running = await start((event) => void reports.push(event));
  });
  afterEach(() => {
    for (const answer of answers.splice(0)) answer.leave();
    reports = [];
  });
  afterAll(() => running?.close());

  async function send(question: Question): Promise<Answer> {
    const headers = { origin: pageOrigin, ...question.headers };
    const answer = await ask(protocol, running.origin, { ...question, headers });
    answers.push(answer);
    return answer;
  }
  const say = (
    content: string,
    { headers = {}, ...rest }: { headers?: Record<string, string>; sessionId?: string } = {},
  ) => send({ headers, body: { messages: [{ role: "user", content }], ...rest } });

  const expectCors = ({ headers }: Answer) => expect(headers["access-control-allow-origin"]).toBe(pageOrigin);

  test("an answer arrives piece by piece, with the CORS headers and the cookie of the framework", async () => {
    const held = await say("hold");
    expect([held.status, held.headers["content-type"]]).toEqual([200, "text/event-stream"]);
    expectCors(held);
    if (setsCookie) expect(held.headers["set-cookie"]?.join()).toMatch(/^visit=/);
    const first = frame({ type: "text-delta", delta: "hold" });
    expect(await held.readUntil((text) => text.includes("\n\n"))).toBe(first);
    await (await say("release")).readAll();
    expect(await held.readAll()).toBe(first + done);
  });

  test("a browser's preflight is answered, by the framework or the route", async () => {
    const preflight = { "access-control-request-method": "POST", "content-type": "text/plain" };
    const answer = await send({ method: "OPTIONS", headers: preflight });
    expect([200, 204]).toContain(answer.status);
  });

  test("a body read by the framework's parser reaches the agent unchanged", async () => {
    const said = 'é 😀 "\\ \u2028\n';
    const answer = await say(said);
    expect(await answer.readAll()).toBe(
      frame({ type: "text-delta", delta: said }).replace("\u2028", "\\u2028") + done,
    );
  });

  test("an invalid body is explained to the client", async () => {
    const answer = await send({ body: { messages: "hello" } });
    expect(answer.status).toBe(400);
    expect(JSON.parse(await answer.readAll())).toMatchObject({
      code: "invalid-request",
      issues: [{ path: "messages" }],
    });
    expectCors(answer);
  });

  test("a client that disconnects aborts the agent", async () => {
    const answer = await say("wait");
    await answer.readUntil((text) => text.includes("wait"));
    answer.leave();
    // workerd notices at the next heartbeat, after 8 s.
    await vi.waitFor(() => expect(reports).toEqual(["aborted"]), { timeout: 30_000 });
  });

  test("an agent's failure is masked, before the stream and in it", async () => {
    const failed = await say("fail");
    expect(failed.status).toBe(500);
    expect(JSON.parse(await failed.readAll())).toMatchObject({
      error: "Something went wrong on the server.",
      code: "internal",
    });
    expectCors(failed);
    const broken = await say("fail later");
    const text = await broken.readAll();
    expect(text).toMatch(/"type":"error","message":"Something went wrong on the server\."/);
    expect(text).not.toContain("hunter2");
  });

  test("a Response that authorize throws is sent", async () => {
    const answer = await say("hello", { headers: { "x-refuse": "1" } });
    expect([answer.status, await answer.readAll()]).toEqual([401, "Please sign in."]);
    expectCors(answer);
  });

  if (redirectStatus !== undefined) {
    test("a redirect() of the framework that authorize throws is handled by the framework", async () => {
      const answer = await say("hello", { headers: { "x-redirect": "1" } });
      expect([answer.status, answer.headers.location]).toEqual([redirectStatus, "/login"]);
      expect(log).not.toHaveBeenCalled();
    });
  }

  test("a run is stopped by our client and can be read again", async () => {
    const headers = { "x-runs": "1", origin: pageOrigin };
    if (protocol === "http2") {
      const answer = await say("wait", { headers, sessionId: "s" });
      await answer.readUntil((text) => text.includes("wait"));
      const stopped = await send({ method: "DELETE", query: "?session=s", headers, body: {} });
      expect([stopped.status, JSON.parse(await stopped.readAll()).terminal.reason]).toEqual([200, "stopped"]);
      const again = await send({ method: "GET", query: "?session=s", headers });
      expect(await again.readAll()).toContain('"reason":"stopped"');
      return;
    }
    const { createChat } = await import("@kortyx/client");
    const options = { endpoint: `${running.origin}/api/chat`, headers, sessionId: "s", runs: true };
    const chat = createChat(options);
    const answered = chat.send("wait");
    await vi.waitFor(() => expect(chat.getSnapshot().messages.at(-1)).toMatchObject({ role: "assistant" }));
    await chat.stop();
    await answered;
    const stopped = { status: "aborted", abortReason: "stopped" };
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined });
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject(stopped);
    const reloaded = createChat(options);
    await reloaded.resume();
    expect(reloaded.getSnapshot().messages.at(-1)).toMatchObject(stopped);
    chat.close();
    reloaded.close();
  });
});
