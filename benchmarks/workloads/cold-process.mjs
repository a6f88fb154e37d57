/**
 * One cold start: `cold-process.mjs <what> <name> <file with a body>`. Prints the CPU time of the whole process from its
 * first import to the end of its work, in milliseconds. JavaScript, because Node would take longer to strip types.
 */
import { readFileSync } from "node:fs";

const [what, name, file] = process.argv.slice(2);
const packages = new URL("../../packages/", import.meta.url);
const own = (path) => new URL(path, packages).href;

/** What is imported. The schema library alone is the floor of everything that validates requests with it. */
const servers = {
  zod: own("protocol/node_modules/zod/index.js"),
  kortyx: own("server/dist/index.js"),
  "ai-sdk": "ai",
  "assistant-stream": "assistant-stream",
};
const readers = {
  kortyx: own("client/dist/index.js"),
  "eventsource-parser": "eventsource-parser",
  "ai-sdk": "ai",
  "assistant-stream": "assistant-stream",
  openai: "openai/streaming",
};

const createRequest = (message) =>
  new Request("http://localhost/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [message] }),
  });
const texts = ["Hello", ", ", "world", "."];

/** A request with one message, parsed as the documentation of each does it, and an answer of four pieces of text. */
const answers = {
  async kortyx({ createChatRoute }) {
    const agent = {
      async *streamChat() {
        for (const delta of texts) yield { type: "text-delta", delta };
      },
    };
    return await createChatRoute({ agent }).POST(createRequest({ role: "user", content: "Hi" }));
  },
  async "ai-sdk"({ convertToModelMessages, createUIMessageStream, createUIMessageStreamResponse }) {
    const request = createRequest({ id: "1", role: "user", parts: [{ type: "text", text: "Hi" }] });
    const { messages } = await request.json();
    await convertToModelMessages(messages);
    const stream = createUIMessageStream({
      execute({ writer }) {
        writer.write({ type: "text-start", id: "1" });
        for (const delta of texts) writer.write({ type: "text-delta", id: "1", delta });
        writer.write({ type: "text-end", id: "1" });
      },
    });
    return createUIMessageStreamResponse({ stream });
  },
  async "assistant-stream"({ AssistantStream, AssistantTransportEncoder, createAssistantStream }) {
    await createRequest({ role: "user", content: "Hi" }).json();
    const stream = createAssistantStream((controller) => {
      for (const text of texts) controller.appendText(text);
    });
    return AssistantStream.toResponse(stream, new AssistantTransportEncoder());
  },
};

const createBody = (bytes) => {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + 1024));
      at += 1024;
    },
  });
};
const createResponse = (body) => new Response(body, { headers: { "content-type": "text/event-stream" } });

/** @returns the number of chunks read. */
const reads = {
  async kortyx({ readStream }, body) {
    let count = 0;
    for await (const _ of readStream(body)) count++;
    return count;
  },
  async "eventsource-parser"({ createParser }, body) {
    let count = 0;
    const parser = createParser({
      onEvent: ({ data }) => {
        if (data !== "[DONE]" && JSON.parse(data)) count++;
      },
    });
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parser.feed(decoder.decode(read.value, { stream: true }));
    }
    return count;
  },
  async "ai-sdk"({ parseJsonEventStream, uiMessageChunkSchema }, body) {
    let count = 0;
    for await (const result of parseJsonEventStream({ stream: body, schema: uiMessageChunkSchema })) {
      if (result.success) count++;
    }
    return count;
  },
  async "assistant-stream"({ AssistantStream, AssistantTransportDecoder }, body) {
    let count = 0;
    const chunks = AssistantStream.fromResponse(createResponse(body), new AssistantTransportDecoder());
    const reader = chunks.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) count++;
    return count;
  },
  async openai({ Stream }, body) {
    let count = 0;
    for await (const _ of Stream.fromSSEResponse(createResponse(body), new AbortController())) count++;
    return count;
  },
};

const body = what === "read" ? createBody(readFileSync(file)) : undefined;
const before = process.cpuUsage();
const imported = await import((what === "read" ? readers : servers)[name]);
if (what === "answer") {
  const text = await (await answers[name](imported)).text();
  if (!text.includes("world")) throw new Error(`No answer: ${text}`);
}
if (what === "read") {
  const count = await reads[name](imported, body);
  if (count < 1000) throw new Error(`${count} chunks of 1,000.`);
}
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1000);
