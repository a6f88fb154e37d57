import { reduceMessage } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { chunksOf, message, read } from "./openai-responses-kit.ts";
import { toEvents } from "./openai-responses-wire.ts";

test("a refusal is a text that OpenAI recognizes", async () => {
  const refusal = message("", { content: [{ type: "refusal", refusal: "No." }] });
  const { parts } = reduceMessage(await chunksOf(refusal));
  expect(parts).toMatchObject([
    { type: "text", text: "No.", providerMetadata: { openai: { item_id: "msg_1", type: "refusal" } } },
  ]);
});

test("the phase of a message is kept with each of its texts", async () => {
  const content = ["One", "Two"].map((text) => ({ type: "output_text", text, annotations: [] }));
  const { parts } = reduceMessage(await chunksOf(message("", { content, phase: "commentary" })));
  expect(parts).toMatchObject([
    { text: "One", key: "resp_1:0:0", providerMetadata: { openai: { phase: "commentary" } } },
    { text: "Two", key: "resp_1:0:1", providerMetadata: { openai: { phase: "commentary" } } },
  ]);
});

test("ranges of citations count UTF-16 code units, where OpenAI counts code points", async () => {
  const text = "😀 Rome is warm.";
  const annotations = [
    { type: "url_citation", start_index: 2, end_index: 6, url: "https://a.example/", title: "Rome" },
    { type: "url_citation", start_index: 7, end_index: 99, url: "https://a.example/", title: "Rome" },
    { type: "file_citation", file_id: "file_1", filename: "italy.pdf", index: 6 },
    { type: "file_path", file_id: "file_2", index: 0 },
    {
      type: "container_file_citation",
      file_id: "file_3",
      container_id: "cntr_1",
      filename: "plot.png",
      start_index: 0,
      end_index: 1,
    },
  ];
  const content = [{ type: "output_text", text, annotations }];
  const chunks = await chunksOf(message("", { content }));
  expect(chunks.filter(({ type }) => type === "source")).toEqual([
    { type: "source", id: "https://a.example/", url: "https://a.example/", title: "Rome" },
    {
      type: "source",
      id: "file_1",
      name: "italy.pdf",
      providerMetadata: { openai: { type: "file_citation", file_id: "file_1" } },
    },
    { type: "source", id: "file_2", providerMetadata: { openai: { type: "file_path", file_id: "file_2" } } },
    {
      type: "source",
      id: "file_3",
      name: "plot.png",
      providerMetadata: {
        openai: { type: "container_file_citation", file_id: "file_3", container_id: "cntr_1" },
      },
    },
  ]);
  expect(chunks.at(-1)).toEqual({
    type: "text-end",
    segmentId: "resp_1:0:0",
    citations: [
      { sourceId: "https://a.example/", start: 3, end: 7 },
      { sourceId: "https://a.example/", start: 8, end: 16 },
      { sourceId: "file_1", start: 7, end: 7 },
      { sourceId: "file_2" },
      { sourceId: "file_3", start: 0, end: 2 },
    ],
    providerMetadata: { openai: { item_id: "msg_1", annotations } },
  });
  expect(text.slice(3, 7)).toBe("Rome");
});

test("texts, citations and items of which only the end has arrived are whole", async () => {
  const annotations = [{ type: "url_citation", start_index: 0, end_index: 5, url: "https://a.example/" }];
  const item = message("", { content: [{ type: "output_text", text: "Hello", annotations }] });
  const events = toEvents([item]).filter(
    ({ type }) => type.startsWith("response.output_item") || /created|completed/.test(type),
  );
  const { chunks } = await read(events, { terminal: false });
  const { parts } = reduceMessage(chunks);
  expect(parts).toMatchObject([
    { type: "text", text: "Hello", citations: [{ sourceId: "https://a.example/", start: 0, end: 5 }] },
    { type: "source", url: "https://a.example/" },
  ]);
});

test("a message that ends early keeps its status for the next request", async () => {
  const events = toEvents([message("Hel", { status: "incomplete" })]);
  events.splice(-1, 1, {
    type: "response.incomplete",
    response: { incomplete_details: { reason: "max_output_tokens" } },
  });
  const { chunks, turn } = await read(events);
  expect(turn.finishReason).toBe("length");
  expect(chunks).toContainEqual({
    type: "part-metadata",
    segmentId: "resp_1:0:0",
    providerMetadata: { openai: { status: "incomplete" } },
  });
});

test("reasoning is streamed by summary, and its encrypted content belongs to the last", async () => {
  const summary = ["First", "Then"].map((text) => ({ type: "summary_text", text }));
  const item = { type: "reasoning", id: "rs_1", summary, encrypted_content: "gAAA" };
  expect(reduceMessage(await chunksOf(item)).parts).toMatchObject([
    { type: "reasoning", text: "First", providerMetadata: { openai: { item_id: "rs_1" } } },
    {
      type: "reasoning",
      text: "Then",
      providerMetadata: { openai: { item_id: "rs_1", encrypted_content: "gAAA" } },
    },
  ]);
});

test("reasoning that OpenAI hides, and a compaction, are empty parts that go back", async () => {
  const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" };
  const compaction = { type: "compaction", id: "cmp_1", encrypted_content: "gBBB", created_by: "ann" };
  const chunks = await chunksOf(reasoning, compaction);
  expect(chunks.map(({ type }) => type)).toEqual([
    "reasoning-start",
    "reasoning-end",
    "reasoning-start",
    "reasoning-end",
  ]);
  expect(reduceMessage(chunks).parts).toEqual([
    {
      type: "reasoning",
      key: "resp_1:0:hidden",
      text: "",
      state: "done",
      providerMetadata: { openai: { item_id: "rs_1", encrypted_content: "gAAA" } },
    },
    {
      type: "reasoning",
      key: "resp_1:1:hidden",
      text: "",
      state: "done",
      providerMetadata: { openai: { type: "compaction", id: "cmp_1", encrypted_content: "gBBB" } },
    },
  ]);
});

test("a text of which no end arrives ends with the response", async () => {
  const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
  const events = toEvents([]);
  events.splice(2, 0, { type: "response.output_text.delta", ...place, delta: "Hello" });
  events.splice(2, 0, { type: "response.output_text.delta", ...place, delta: "" });
  const { chunks } = await read(events);
  expect(chunks.map(({ type }) => type)).toEqual([
    "metadata",
    "text-start",
    "text-delta",
    "text-end",
    "done",
  ]);
});

test("an empty text is no part of the message", async () => {
  expect(reduceMessage(await chunksOf(message(""))).parts).toEqual([]);
});

test("an impossible range is left out", async () => {
  const annotation = { type: "url_citation", url: "https://a.example/" };
  const annotations = [
    { ...annotation, start_index: 3, end_index: 1 },
    { ...annotation, start_index: -1, end_index: 1 },
    { ...annotation, start_index: "1", end_index: 2 },
    { type: "url_citation" },
  ];
  const content = [{ type: "output_text", text: "Hello", annotations }];
  const end = (await chunksOf(message("", { content }))).at(-1);
  expect(end?.type === "text-end" && end.citations).toEqual([
    { sourceId: "https://a.example/" },
    { sourceId: "https://a.example/" },
    { sourceId: "https://a.example/" },
  ]);
});
