import type { StreamChunk } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { fromLangGraph, type LangGraphEvent } from "../../src/langgraph.ts";

type Content = unknown;

/** What the contents of one message become, in pieces; `whole` for a message that comes at once. */
async function chunksOf(contents: Content[], form: "pieces" | "whole" = "pieces", fields: object = {}) {
  async function* stream(): AsyncGenerator<LangGraphEvent> {
    const type = form === "pieces" ? "AIMessageChunk" : "ai";
    for (const content of contents) yield ["messages", [{ type, id: "m", content, ...fields }, {}]];
  }
  const chunks: StreamChunk[] = [];
  for await (const chunk of fromLangGraph(stream())) chunks.push(chunk);
  return chunks.filter(({ type }) => !["step-start", "step-end", "done"].includes(type));
}

test("reasoning and text are parts of their own, and what the provider wants back is with the reasoning", async () => {
  const chunks = await chunksOf([
    [{ type: "thinking", thinking: "", index: 0 }],
    [{ type: "thinking", thinking: "Let me ", index: 0 }],
    [{ type: "thinking", thinking: "see.", index: 0 }],
    [{ type: "thinking", thinking: "", signature: "sig", index: 0 }],
    [{ type: "redacted_thinking", data: "xyz", index: 1 }],
    [{ type: "text", text: "Here.", index: 2 }],
  ]);
  expect(chunks).toEqual([
    { type: "reasoning-start", segmentId: "m:0" },
    { type: "reasoning-delta", segmentId: "m:0", delta: "Let me " },
    { type: "reasoning-delta", segmentId: "m:0", delta: "see." },
    {
      type: "reasoning-end",
      segmentId: "m:0",
      providerMetadata: { langchain: { type: "thinking", signature: "sig" } },
    },
    { type: "reasoning-start", segmentId: "m:1" },
    {
      type: "reasoning-end",
      segmentId: "m:1",
      providerMetadata: { langchain: { type: "redacted_thinking", data: "xyz" } },
    },
    { type: "text-start", segmentId: "m:2" },
    { type: "text-delta", segmentId: "m:2", delta: "Here." },
    { type: "text-end", segmentId: "m:2" },
  ]);
});

test("a signature that comes after the reasoning has ended is added to it", async () => {
  const chunks = await chunksOf([
    [{ type: "thinking", thinking: "Hm", index: 0 }],
    [{ type: "text", text: "a", index: 1 }],
    [{ type: "thinking", signature: "sig", index: 0 }],
  ]);
  expect(chunks).toContainEqual({
    type: "part-metadata",
    segmentId: "m:0",
    providerMetadata: { langchain: { type: "thinking", signature: "sig" } },
  });
});

test("a text that continues after another block is another segment, and loses nothing", async () => {
  const chunks = await chunksOf([
    [{ type: "text", text: "a", index: 0 }],
    [{ type: "reasoning", reasoning: "b", index: 0 }],
    [{ type: "text", text: "c", index: 0 }],
  ]);
  const deltas = chunks.filter((chunk) => "delta" in chunk);
  expect(deltas).toEqual([
    { type: "text-delta", segmentId: "m:0", delta: "a" },
    { type: "reasoning-delta", segmentId: "m:0.2", delta: "b" },
    { type: "text-delta", segmentId: "m:0.3", delta: "c" },
  ]);
});

test("reasoning next to the content is shown", async () => {
  const types = async (fields: object) =>
    (await chunksOf([""], "pieces", fields)).map((chunk) => ("delta" in chunk ? chunk.delta : chunk.type));
  expect(await types({ additional_kwargs: { reasoning_content: "Hm" } })).toEqual([
    "reasoning-start",
    "Hm",
    "reasoning-end",
  ]);
  const summary = [{ type: "summary_text", text: "So", index: 0 }];
  expect(await types({ additional_kwargs: { reasoning: { summary } } })).toEqual([
    "reasoning-start",
    "So",
    "reasoning-end",
  ]);
});

test("blocks of a whole message are parts in order; texts without places are one", async () => {
  const blocks = ["One.", { type: "text", text: "Two." }, { type: "refusal", refusal: "No." }];
  const texts = (chunks: StreamChunk[]) =>
    chunks.flatMap((chunk) => (chunk.type === "text-delta" ? [[chunk.segmentId, chunk.delta]] : []));
  expect(texts(await chunksOf([blocks], "whole"))).toEqual([
    ["m:0", "One."],
    ["m:1", "Two."],
    ["m:2", "No."],
  ]);
  const pieces = [[{ type: "text", text: "One " }], [{ type: "text", text: "text" }]];
  expect(texts(await chunksOf(pieces))).toEqual([
    ["m:0", "One "],
    ["m:0", "text"],
  ]);
});

test("citations come with the end of their text, and each source before it", async () => {
  const found = {
    type: "citation",
    url: "https://a.example/",
    title: "A",
    startIndex: 0,
    endIndex: 4,
    citedText: "q",
  };
  const location = {
    type: "char_location",
    document_title: "Doc",
    cited_text: "w",
    start_index: 3,
    end_index: 9,
  };
  const expected = [
    { type: "text-start", segmentId: "m:0" },
    { type: "source", id: "https://a.example/", url: "https://a.example/", title: "A" },
    { type: "source", id: "Doc", title: "Doc" },
    { type: "text-delta", segmentId: "m:0", delta: "Text" },
    {
      type: "text-end",
      segmentId: "m:0",
      citations: [
        {
          sourceId: "https://a.example/",
          start: 0,
          end: 4,
          quote: "q",
          providerMetadata: { langchain: found },
        },
        { sourceId: "Doc", quote: "w", providerMetadata: { langchain: location } },
      ],
    },
  ];
  const block = { type: "text", text: "Text", annotations: [found, { type: "none" }], citations: [location] };
  expect(await chunksOf([[block]], "whole")).toEqual(expected);
  const pieces = [
    [{ type: "text", text: "Text", index: 0 }],
    [{ type: "text", text: "", index: 0, annotations: [found] }],
    [{ type: "text", index: 0, citations: [location] }],
  ];
  expect((await chunksOf(pieces)).at(-1)).toEqual(expected.at(-1));
});

test("cumulative messages repeat neither files nor sources nor citations", async () => {
  const link = { type: "citation", url: "https://a.example/" };
  const first = [
    { type: "image_url", image_url: "https://a.example/1.png" },
    { type: "text", text: "a", annotations: [link] },
  ];
  const second = [first[0], { type: "text", text: "ab", annotations: [link, { ...link, title: "A" }] }];
  async function* stream(): AsyncGenerator<LangGraphEvent> {
    for (const content of [first, second, second]) {
      yield { event: "messages/partial", data: [{ type: "ai", id: "m", content }] };
    }
  }
  const chunks: StreamChunk[] = [];
  for await (const chunk of fromLangGraph(stream())) chunks.push(chunk);
  const count = (kind: string) => chunks.filter(({ type }) => type === kind).length;
  expect([count("file"), count("source"), count("text-delta")]).toEqual([1, 2, 2]);
  const end = chunks.find((chunk) => chunk.type === "text-end");
  expect(end?.citations).toHaveLength(2);
});

test("reasoning that is empty, and that no provider wants back, is no part", async () => {
  const chunks = await chunksOf([
    [{ type: "thinking", thinking: "", index: 0 }],
    [{ type: "text", text: "a", index: 1 }],
  ]);
  expect(chunks.map(({ type }) => type)).toEqual(["text-start", "text-delta", "text-end"]);
});

test("files are shown wherever their bytes are", async () => {
  const file = async (block: object) => (await chunksOf([[block]], "whole"))[0];
  expect(await file({ type: "image_url", image_url: { url: "https://a.example/1.png" } })).toEqual({
    type: "file",
    mediaType: "image/*",
    url: "https://a.example/1.png",
  });
  expect(await file({ type: "image_url", image_url: "data:image/gif;base64,AA" })).toEqual({
    type: "file",
    mediaType: "image/gif",
    url: "data:image/gif;base64,AA",
  });
  const bytes = new Uint8Array([0, 255]);
  expect(await file({ type: "audio", mimeType: "audio/wav", data: bytes })).toEqual({
    type: "file",
    mediaType: "audio/wav",
    url: "data:audio/wav;base64,AP8=",
  });
  const old = {
    type: "file",
    source_type: "base64",
    mime_type: "application/pdf",
    data: "AA",
    metadata: { filename: "a.pdf" },
  };
  expect(await file(old)).toEqual({
    type: "file",
    mediaType: "application/pdf",
    url: "data:application/pdf;base64,AA",
    name: "a.pdf",
  });
  expect(await file({ type: "file", fileId: "f1" })).toEqual({
    type: "file",
    mediaType: "application/octet-stream",
    url: "",
    providerReference: { langchain: "f1" },
  });
});

test("tools that the provider ran are its own calls, with their results", async () => {
  const chunks = await chunksOf([
    [
      { type: "text", text: "a" },
      { type: "server_tool_call", id: "s1", name: "web_search", args: { q: 1 } },
    ],
    [{ type: "server_tool_call_result", toolCallId: "s1", status: "error", output: "none" }],
  ]);
  expect(chunks.slice(2)).toEqual([
    { type: "text-end", segmentId: "m:0" },
    { type: "tool-call-ready", tool: "web_search", toolCallId: "s1", input: { q: 1 }, executor: "provider" },
    { type: "tool-call-result", tool: "web_search", toolCallId: "s1", content: "none", isError: true },
  ]);
});

test("messages are read as JSON of their class, too", async () => {
  async function* stream(): AsyncGenerator<LangGraphEvent> {
    const kwargs = { id: "m", content: "Hi" };
    const message = {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "AIMessageChunk"],
      kwargs,
    };
    yield ["messages", [message, {}]];
  }
  const deltas = [];
  for await (const chunk of fromLangGraph(stream())) if (chunk.type === "text-delta") deltas.push(chunk);
  expect(deltas).toEqual([{ type: "text-delta", segmentId: "m:0", delta: "Hi" }]);
});
