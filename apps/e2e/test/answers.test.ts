import { consumeStream, createChat, requestChat, streamChatFromRoute, toMessageText } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore, type StreamChunk } from "@kortyx/server";
import { createScriptedAgent } from "@kortyx/server/testing";
import { afterEach, describe, expect, test } from "vitest";
import { type LiveServer, listen, until } from "./live-server.ts";

let server: LiveServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const said = (delta: string): StreamChunk => ({ type: "text-delta", delta });
const call = (city: string): StreamChunk[] => [
  { type: "tool-call-start", tool: "weather", toolCallId: "weather", input: { city } },
  { type: "tool-call-result", tool: "weather", toolCallId: "weather", content: `sun in ${city}` },
];

/**
 * As from a model without ids: it begins with an empty text, reasons, calls a tool twice, and repeats its last text in
 * full.
 */
const loop: StreamChunk[] = [
  said(""),
  { type: "reasoning-delta", delta: "Two cities." },
  said("Let me "),
  said("look."),
  ...call("Rome"),
  ...call("Oslo"),
  { type: "source", id: "s", title: "Forecast" },
  said("It is sunny in "),
  { type: "file", mediaType: "image/png", url: "https://files.test/sun.png" },
  said("both."),
  { type: "message", content: "It is sunny in both." },
  { type: "done" },
];
const text = "Let me look.\n\nIt is sunny in both.";
const order = [
  "reasoning",
  "Let me look.",
  "sun in Rome",
  "sun in Oslo",
  "source",
  "It is sunny in ",
  "file",
  "both.",
];

interface Part {
  type: string;
  text?: string;
  content?: unknown;
}
const shown = (parts: readonly unknown[]) =>
  (parts as Part[]).map(({ type, text, content }) => (type === "text" ? text : (content ?? type)));

/** `catch (error) { yield error } finally { yield done }`, as in many agents. */
const failing: StreamChunk[] = [
  said("Half an"),
  { type: "error", message: "Quota exceeded.", code: "quota" },
  { type: "text-end" },
  { type: "status", message: "Giving up" },
  { type: "done", usage: { outputTokens: 2 } },
];

const routes: [string, boolean][] = [
  ["a plain route", false],
  ["a route with runs", true],
];

describe.each(routes)("an answer of a tool loop, over %s", (_, hasRuns) => {
  test("has the same order and text when shown, copied, sent, buffered and saved", async () => {
    const agent = createScriptedAgent(loop);
    const saved: unknown[] = [];
    const save = (finish: object) => {
      const { message } = finish as { message?: { parts: readonly unknown[] } };
      if (message) saved.push(shown(message.parts));
    };
    const route = createChatRoute({
      agent,
      ...(hasRuns
        ? { runs: { store: createMemoryRunStore(), onFinish: save }, authorize: () => "ada" }
        : { collectMessage: true, onFinish: save }),
    });
    server = await listen(route.fetch);
    const endpoint = server.url;
    const messages = [{ role: "user" as const, content: "Weather?" }];

    const chat = createChat({ endpoint });
    await chat.send("Weather?");
    const answer = chat.getSnapshot().messages[1]!;
    expect(shown((answer as { parts: readonly unknown[] }).parts)).toEqual(order);
    expect(toMessageText(answer)).toBe(text);
    await until(() => saved.length === 1, "the answer is saved");
    expect(saved[0]).toEqual(order);

    await chat.send("Thanks.");
    expect(agent.calls[1]?.messages.map(({ content }) => content)).toEqual(["Weather?", text, "Thanks."]);

    expect((await requestChat({ endpoint, messages })).text).toBe(text);
    let printed = "";
    const onText = (piece: string) => {
      printed += piece;
    };
    await consumeStream(streamChatFromRoute({ endpoint, messages }), { onText });
    expect(printed).toBe(text);
  });
});

describe.each(routes)("an agent that fails with an error and a done, over %s", (_, hasRuns) => {
  test("fails for all of chat, callbacks, buffered answer and onFinish", async () => {
    const finished: unknown[] = [];
    const onFinish = (finish: object) => finished.push(finish);
    const route = createChatRoute({
      agent: { streamChat: () => failing },
      ...(hasRuns
        ? { runs: { store: createMemoryRunStore(), onFinish }, authorize: () => "ada" }
        : { collectMessage: true, onFinish }),
    });
    server = await listen(route.fetch);
    const endpoint = server.url;
    const messages = [{ role: "user" as const, content: "Weather?" }];

    const chat = createChat({ endpoint });
    await chat.send("Weather?");
    expect(chat.getSnapshot()).toMatchObject({
      status: "error",
      error: { name: "StreamRemoteError", message: "Quota exceeded." },
      messages: [{}, { status: "error", error: { code: "quota" }, parts: [{ text: "Half an" }] }],
    });
    await until(() => finished.length === 1, "the route reports the end");
    const message = { status: "error", error: { code: "quota" }, usage: { outputTokens: 2 } };
    expect(finished[0]).toMatchObject(
      hasRuns ? { message, terminal: { code: "quota" } } : { message, reason: "error" },
    );

    const told: string[] = [];
    const types: string[] = [];
    const outcome = await consumeStream(streamChatFromRoute({ endpoint, messages }), {
      onChunk: ({ type }) => void types.push(type),
      onError: (error) => told.push(error.message),
      onDone: () => told.push("done"),
    });
    expect(outcome).toMatchObject({ outcome: "error", chunk: { code: "quota" } });
    expect(told).toEqual(["Quota exceeded."]);
    // A run ends with the error itself; a plain stream keeps the agent's chunks.
    expect(types).toEqual(
      hasRuns
        ? ["run-start", "text-delta", "text-end", "status", "error"]
        : ["text-delta", "error", "text-end", "status", "done"],
    );

    const buffered = await requestChat({ endpoint, messages }).catch((error: unknown) => error);
    expect(buffered).toMatchObject({ status: 500, body: { text: "Half an", error: { code: "quota" } } });
  });
});
