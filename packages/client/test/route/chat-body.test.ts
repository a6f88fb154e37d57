import { chatRequestFields } from "@kortyx/protocol/internal";
import { expect, test } from "vitest";
import type { ChatOptions } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import { requestChat } from "../../src/route/request-chat.ts";
import { streamChatFromRoute } from "../../src/route/stream-from-route.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import { collect, doneMarker, greeting, streamResponse } from "../stream/bodies.ts";

const { stream, ...names } = chatRequestFields;
/** A value for every field of the body, with options that are not sent to the route. */
const fields = {
  ...Object.fromEntries(Object.keys(names).map((name) => [name, `some ${name}`])),
  messages: [{ role: "user" as const, content: "Hello" }],
};
const shared = { endpoint: "/", headers: { "x-a": "1" }, credentials: "include" as const };

test("a stream request sends every field of the body and no other option", async () => {
  const { calls, fetch } = createScriptedFetch(greeting);
  const unasked = { stream: false };
  await collect(
    streamChatFromRoute({ ...shared, ...fields, ...unasked, runs: true, giveUpAfterMs: 0, fetch }),
  );
  expect(JSON.parse(calls[0]!.init.body as string)).toEqual(fields);
});

test("a buffered request sends every field of the body and asks for no stream", async () => {
  const { calls, fetch } = createScriptedFetch(() => Response.json({ chunks: [], text: "", structured: [] }));
  await requestChat({ ...shared, ...fields, fetch });
  expect(JSON.parse(calls[0]!.init.body as string)).toEqual({ ...fields, stream: false });
});

test("a chat sets what depends on the conversation itself, and passes on every other field", async () => {
  const { calls, fetch } = createScriptedFetch(() => streamResponse(doneMarker));
  const { sessionId, workflowId, context } = fields as Record<string, unknown>;
  const passed = { sessionId, workflowId, context };
  const chat = createChat({ ...shared, ...fields, tools: {}, fetch } as ChatOptions);
  await chat.send("Hi");
  const id = chat.getSnapshot().messages[0]!.id;
  expect(JSON.parse(calls[0]!.init.body as string)).toEqual({
    ...passed,
    messages: [{ role: "user", content: "Hi", id }],
  });
});
