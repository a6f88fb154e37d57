/** docs/errors.md: its table is complete, and its snippets choose the texts that a user reads. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as client from "@kortyx/client";
import {
  ChatStateError,
  createChat,
  StreamConnectionError,
  StreamHttpError,
  StreamIdleError,
  StreamTruncatedError,
} from "@kortyx/client";
import type ts from "typescript-5";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { listen } from "./live-server.ts";
import { readPublicEntries } from "./public-declarations.ts";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("guide-errors");
afterAll(() => folder.remove());

const page = readFileSync(join(repository, "docs/errors.md"), "utf8");
const [onErrorSnippet, retrySnippet, wordsSnippet] = snippetsOf("docs/errors.md") as [string, string, string];
type Route = { POST(request: Request): Promise<Response> };

const rows = (text: string): string[] => Array.from(text.matchAll(/^\| (.*?) \| /gm), ([, cell]) => cell!);
const codesIn = (text: string): string[] =>
  Array.from(text.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g), ([, code]) => code!);

test("the table has every code that a stream or a client of ours can have, and every class", () => {
  const protocol = readFileSync(join(repository, "docs/protocol.md"), "utf8");
  const [, ofStreams] = /### 3\.3 Codes\n([\s\S]*?)\n## 4/.exec(protocol)!;
  const { entries, checker } = readPublicEntries();
  const ofClient = ["StreamErrorCode", "ChatStateErrorCode"].flatMap((type) => {
    const symbol = entries.flatMap(({ exports }) => exports).find(({ name }) => name === type)!;
    const { types } = checker.getDeclaredTypeOfSymbol(symbol) as ts.UnionType;
    return types.map((member) => (member as ts.StringLiteralType).value);
  });
  const classes = Object.keys(client).filter((name) => /^[A-Z].*Error$/.test(name) && name !== "StreamError");
  // Two that a developer meets while writing frames, not a reader of an error.
  const expected = [...codesIn(rows(ofStreams!).join()), ...ofClient, ...classes].filter(
    (code) => !/^(unserializable-chunk|invalid-frame)$/.test(code),
  );
  expect(expected.length).toBeGreaterThan(50);
  expect(expected.filter((code) => !rows(page).join().includes(`\`${code}\``))).toEqual([]);
});

describe("the snippets", () => {
  beforeEach(() => {
    folder.write(
      "agent.ts",
      `export const agent = {
        async *streamChat([{ content }]) {
          const { QuotaError } = await import("./on-error.ts");
          throw content === "quota" ? new QuotaError() : new TypeError("a secret");
        },
      };`,
    );
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** The error of a chat whose question fails. */
  async function errorOf(question: string, answer?: (request: Request) => Response): Promise<Error> {
    const { POST } = await folder.run<Route>("on-error.ts", onErrorSnippet);
    const server = await listen(answer ?? POST);
    const chat = createChat({ endpoint: server.url });
    await chat.send(question).catch(() => {});
    await server.close();
    return chat.getSnapshot().error!;
  }

  test("show the text of an error that users may read, and log no other than the masked one", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    expect(await errorOf("quota")).toMatchObject({
      message: "You have used all your answers of today.",
      body: { code: "quota" },
    });
    expect(log).not.toHaveBeenCalled();
    const masked = await errorOf("other");
    expect(masked.message).toBe("Something went wrong on the server.");
    const { correlationId } = (masked as StreamHttpError).body as { correlationId: string };
    const shown = /```text\n(.*?): TypeError/.exec(page)![1]!;
    expect(log.mock.calls).toEqual([
      [`${shown.replace(/[0-9a-f-]{36}/, correlationId)}:`, expect.any(TypeError)],
    ]);
  });

  test("offer another try for an error that is retryable, before the stream or inside it", async () => {
    const { canRetry } = await folder.run<{ canRetry(error: unknown): boolean }>("retry.ts", retrySnippet);
    const refused = (retryable: boolean) => () =>
      Response.json({ error: "Busy.", code: "model-busy", retryable }, { status: 503 });
    const failed = (retryable: boolean) => () => {
      const chunk = JSON.stringify({ type: "error", message: "Busy.", code: "model-busy", retryable });
      return new Response(`data: ${chunk}\n\ndata: [DONE]\n\n`, {
        headers: { "content-type": "text/event-stream" },
      });
    };
    const offers = [refused(true), failed(true), refused(false), failed(false)].map(async (answer) =>
      canRetry(await errorOf("hello", answer)),
    );
    expect(await Promise.all(offers)).toEqual([true, true, false, false]);
    expect([new Error("unknown"), undefined].map(canRetry)).toEqual([false, false]);
    const withStatus = (status: number, body: unknown) =>
      new StreamHttpError(new Response(null, { status }), body);
    for (const code of ["draining", "store-full", "store-unavailable"]) {
      expect(canRetry(withStatus(503, { error: "Later.", code })), code).toBe(true);
    }
    expect(canRetry(withStatus(429, { error: "Wait.", code: "too-many-runs" }))).toBe(true);
    for (const [status, body] of [
      [400, { code: "invalid-request" }],
      [409, { code: "run-active" }],
      [500, { code: "internal" }],
      [404, "<html>"],
    ] as const) {
      expect(canRetry(withStatus(status, body)), String(status)).toBe(false);
    }
    expect(canRetry(withStatus(504, "<html>"))).toBe(true);
    expect(canRetry(new StreamConnectionError("http://host/", new TypeError("fetch failed")))).toBe(true);
    expect(canRetry(new StreamTruncatedError())).toBe(true);
    expect(canRetry(new StreamIdleError(1))).toBe(true);
    expect(canRetry(new ChatStateError("busy", "Busy."))).toBe(false);
  });

  test("find the words for a code of the route, and for one of the client", async () => {
    const { describeError } = await folder.run<{ describeError(error: unknown): string }>(
      "words.ts",
      wordsSnippet,
    );
    const unauthorized = Response.json({ error: "Please sign in.", code: "unauthorized" }, { status: 401 });
    const stream = (frames: string) => () =>
      new Response(frames, { headers: { "content-type": "text/event-stream" } });
    const words = [
      await errorOf("quota"),
      await errorOf("quota", () => unauthorized),
      await errorOf("quota", stream('data: {"type":"text-delta","delta":"Hel"}\n\n')),
      await errorOf(
        "quota",
        stream('data: {"type":"error","message":"No.","code":"quota"}\n\ndata: [DONE]\n\n'),
      ),
      new Error("unknown"),
    ].map(describeError);
    expect(words).toEqual([
      "Für heute sind alle Antworten verbraucht.",
      "Bitte melden Sie sich an.",
      "Die Verbindung ist abgebrochen.",
      "Für heute sind alle Antworten verbraucht.",
      "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
    ]);
  });
});
