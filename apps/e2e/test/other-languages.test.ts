/**
 * docs/protocol.md is enough to write a reader and a writer in another language: those in `python/`, of less than 100
 * lines, follow its rules and know nothing of these packages. `conformance.test.ts` runs the conformance kit on them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { consumeStream, readStream, type StreamChunk } from "@kortyx/client";
import { createChunkDecoder, reduceStreamError, type UnknownChunk } from "@kortyx/protocol";
import { type ChatAgent, createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { readTranscript } from "../transcripts/transcript-sets.ts";
import { listen, listenOnNode } from "./live-server.ts";
import { hasPython, pythonFolder, runProgram, runPython } from "./python.ts";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";

/** What a reader finds in a body. */
interface Reading {
  chunks: (StreamChunk | UnknownChunk)[];
  outcome: "done" | "failed" | "aborted" | "truncated" | "violation";
}

/** The whole answer to a request. */
interface Answer {
  chunks: StreamChunk[];
  outcome: string;
  lastEventId: string;
}

function readHere(body: Uint8Array): Reading {
  const chunks: Reading["chunks"] = [];
  const add = (chunk: StreamChunk | UnknownChunk) => chunks.push(chunk);
  const decoder = createChunkDecoder({ onUnknownChunk: add });
  decoder.push(body);
  try {
    for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) add(chunk);
  } catch {
    return { chunks, outcome: "violation" };
  }
  let error: ReturnType<typeof reduceStreamError>;
  for (const chunk of chunks) error = reduceStreamError(error, chunk);
  const ending = chunks.at(-1)?.type === "abort" ? "aborted" : error ? "failed" : "done";
  return { chunks, outcome: decoder.complete ? ending : "truncated" };
}

const page = readFileSync(join(repository, "docs/protocol.md"), "utf8");
const text = { type: "text-delta", delta: "Hi" } as const;
const done = "data: [DONE]\n\n";

test("the reader and the writer in Python have less than 100 lines of at most 100 characters", () => {
  const lines = readFileSync(join(pythonFolder, "kortyx_stream.py"), "utf8").trimEnd().split("\n");
  expect(lines.length).toBeLessThan(100);
  expect(lines.filter((line) => line.length > 100)).toEqual([]);
});

describe.skipIf(!hasPython())("Python", () => {
  test("asks a live route, and resumes the answer each time that its body ends too early", async () => {
    const words = ["One ", "two ", "three ", "é\u2028 ", "five."];
    const route = createChatRoute({
      agent: {
        async *streamChat() {
          for (const delta of words) yield { type: "text-delta", delta } as const;
          yield { type: "done", finishReason: "stop" } as const;
        },
      },
      runs: { store: createMemoryRunStore() },
      authorize: "anonymous",
    });
    const requests: string[] = [];
    const server = await listen(async (request) => {
      requests.push(`${request.method} ${request.headers.get("last-event-id") ?? "from the start"}`);
      return cutAfter(await route.fetch(request), 250);
    });
    const messages = [{ role: "user", content: "Count" }];
    const { chunks, outcome, lastEventId } = await runPython<Answer>("answer", server.url, { messages });
    await server.close();
    const [start, ...rest] = chunks as [{ runId: string }, ...StreamChunk[]];
    expect(rest).toEqual([
      ...words.map((delta) => ({ type: "text-delta", delta })),
      { type: "done", finishReason: "stop" },
    ]);
    expect(outcome).toBe("done");
    expect(lastEventId).toBe(`${start.runId}.6`);
    expect(requests[0]).toBe("POST from the start");
    expect(requests.length).toBeGreaterThan(2);
    for (const request of requests.slice(1))
      expect(request).toMatch(new RegExp(`^GET ${start.runId}\\.[0-5]$`));
  });

  test("asks and resumes as docs/runs.md does", async () => {
    const route = createChatRoute({
      agent: { streamChat: () => [text, { type: "text-delta", delta: " Ann" }, { type: "done" }] },
      runs: { store: createMemoryRunStore() },
      authorize: "anonymous",
    });
    const server = await listen(route.fetch);
    const folder = createSnippetFolder("python");
    const [code] = snippetsOf("docs/runs.md", "python");
    const program = `${code}
import sys
url = sys.argv[1]
for line in ask(url, {"messages": [{"role": "user", "content": "Hello"}]}):
    if line.startswith(b"id: "):
        last_id = line.decode()[4:].strip()
    if line.startswith(b"data: ") and b"Hi" in line:
        break
print(resume(url, last_id).read().decode())
`;
    const resumed = await runProgram(folder.write("resume.py", program), server.url);
    expect([...resumed.matchAll(/"delta":"(.*?)"/g)].map(([, delta]) => delta)).toEqual([" Ann"]);
    expect(resumed).toContain("[DONE]");
    folder.remove();
    await server.close();
  });

  test("continues an answer of a route that signs its questions, and is refused with a token of its own", async () => {
    const call = { toolCallId: "1", tool: "pay" };
    const options = ["approve", "deny"].map((id) => ({ id, label: id }));
    const agent: ChatAgent = {
      async *streamChat(_messages, { resumes: [answer] = [] }) {
        if (answer === undefined) {
          yield { type: "tool-call-start", ...call, input: { euros: 5 } };
          const input = { kind: "choice", multiple: false, question: "Pay?", options } as const;
          yield { type: "interrupt", requestId: "q", resumeToken: "own", toolCallId: "1", input };
          yield { type: "done", finishReason: "interrupt" };
        } else {
          yield { type: "interrupt-resolved", requestId: "q", outcome: "answered", answer: answer.answer };
          yield { type: "tool-call-result", ...call, content: answer.resumeToken };
          yield { type: "done" };
        }
      },
    };
    const resumeSecret = "a secret of more than 32 characters";
    const runs = { store: createMemoryRunStore() };
    const route = createChatRoute({ agent, runs, authorize: "anonymous", resumeSecret });
    const server = await listen(route.fetch);
    const messages = [{ role: "user", content: "Pay 5 €" }];
    const first = await runPython<Answer>("answer", server.url, { messages, sessionId: "s" });
    const [start, , question] = first.chunks as [{ runId: string }, StreamChunk, { resumeToken: string }];
    const continuing = (resumeToken: string) => ({
      messages,
      sessionId: "s",
      trigger: "continue",
      messageId: start.runId,
      resumes: [{ requestId: "q", resumeToken, answer: "approve" }],
    });
    const second = await runPython<Answer>("answer", server.url, continuing(question.resumeToken));
    expect(second.chunks).toMatchObject([
      { type: "run-start", continues: start.runId },
      { type: "interrupt-resolved", answer: "approve" },
      { type: "tool-call-result", content: "own" },
      { type: "done" },
    ]);
    await expect(runPython("answer", server.url, continuing("forged"))).rejects.toThrow("HTTP Error 403");
    await server.close();
  });

  test("resumes the example of the page, whose connection breaks in the middle of an event", async () => {
    // The first of the three is the grammar.
    const [, body, rest] = [...page.matchAll(/^```text\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);
    const server = await listenOnNode((request, response) => {
      response.writeHead(200, eventStream);
      if (request.headers["last-event-id"] === "3f2c.1") response.end(rest);
      else response.write(`retry: 1\n\n${body!.trimEnd()}`, () => response.destroy());
    });
    const answer = await runPython("answer", server.url, { messages: [] });
    await server.close();
    expect(answer).toMatchObject({
      chunks: [{ runId: "3f2c" }, { delta: "Six " }, { delta: "minutes." }, { type: "done" }],
      outcome: "done",
    });
  });

  const values = readTranscript("0.1", "json-values").entries.map(({ chunk }) => chunk);
  test.each([undefined, "run-1"])("writes an answer (run: %s) that our reader reads", async (runId) => {
    const first = runId === undefined ? [] : [{ type: "run-start", runId }];
    const written = await runPython<string>("written", [...first, ...values], runId ?? null, false);
    // No reader ends a line anywhere else.
    expect(written).toMatch(/^[\n -~]*$/);
    const read = readHere(Buffer.from(written));
    expect(read).toEqual({ chunks: [...first, ...values], outcome: "done" });
    expect(written.match(/^id: run-1\.\d+$/gm) ?? []).toHaveLength(runId ? values.length + 1 : 0);
    expect(written.endsWith(done)).toBe(true);
  });

  test("writes an error for a source that fails, which our client reports without its text", async () => {
    const written = await runPython<string>("written", [text], null, true);
    const outcome = await consumeStream(readStream(new Response(written, { headers: eventStream })));
    expect(outcome).toMatchObject({ outcome: "error" });
    expect(written).not.toContain("secret");
  });

  test("ends a run whose source ends without a terminal in a way that our reader takes for complete", async () => {
    const written = await runPython<string>("written", [{ type: "run-start", runId: "r" }, text], "r", false);
    expect(readHere(Buffer.from(written)).outcome).toBe("done");
  });
});

const eventStream = { "content-type": "text/event-stream" };

/** Ends a body after a number of bytes, as a proxy does, and asks for the next request without delay. */
function cutAfter(response: Response, bytes: number): Response {
  let left = bytes;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("retry: 1\n\n")),
    transform(piece, controller) {
      controller.enqueue(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) controller.terminate();
    },
  });
  return new Response(response.body?.pipeThrough(cut) ?? null, response);
}
