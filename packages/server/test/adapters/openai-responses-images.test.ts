import { reduceMessage } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { chunksOf, read } from "./openai-responses-kit.ts";
import { toEvents } from "./openai-responses-wire.ts";

test("an image replaces its stages, and belongs to its call", async () => {
  const item = {
    type: "image_generation_call",
    id: "ig_1",
    status: "completed",
    revised_prompt: "A cat",
    result: "AAAA",
    output_format: "webp",
  };
  const events = toEvents([item]);
  const stage = { output_index: 0, partial_image_b64: "BBBB", partial_image_index: 0, output_format: "webp" };
  events.splice(3, 0, { type: "response.image_generation_call.partial_image", ...stage });
  events.splice(3, 0, { type: "response.image_generation_call.generating", output_index: 0 });
  const { chunks } = await read(events, { terminal: false });
  expect(chunks).toContainEqual({
    type: "tool-call-progress",
    tool: "image_generation",
    toolCallId: "ig_1",
    content: { status: "generating" },
  });
  expect(chunks.find(({ type }) => type === "tool-call-ready")).toMatchObject({
    input: { revised_prompt: "A cat", output_format: "webp" },
    providerMetadata: { openai: expect.not.objectContaining({ result: "AAAA" }) },
  });
  expect(chunks.filter(({ type }) => type === "file")).toMatchObject([
    { id: "ig_1", toolCallId: "ig_1", mediaType: "image/webp", url: "data:image/webp;base64,BBBB" },
    { id: "ig_1", url: "data:image/webp;base64,AAAA", providerMetadata: { openai: { item_id: "ig_1" } } },
  ]);
  expect(reduceMessage(chunks).parts).toMatchObject([
    { tool: "image_generation", state: "done", input: { revised_prompt: "A cat", output_format: "webp" } },
    { type: "file" },
  ]);
});

test("an image that was refused is a failed call", async () => {
  const error = {
    type: "image_generation_error",
    code: "moderation_blocked",
    message: "Refused.",
    param: null,
  };
  const item = { type: "image_generation_call", id: "ig_1", status: "failed", result: null, error };
  expect(reduceMessage(await chunksOf(item)).parts).toMatchObject([
    { state: "error", errorMessage: "Refused.", errorCode: "moderation_blocked" },
  ]);
});

test("a vector image has the media type of one", async () => {
  const item = {
    type: "image_generation_call",
    id: "ig_1",
    status: "completed",
    result: "AAAA",
    output_format: "svg",
  };
  expect(await chunksOf(item)).toContainEqual(expect.objectContaining({ mediaType: "image/svg+xml" }));
});
