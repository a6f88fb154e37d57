import {
  type ChatMessage,
  type ChatMessagePart,
  reduceMessage,
  type ToolCallMessagePart,
} from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import { collectStream } from "../../src/index.ts";
import { fromOpenAIChat, toOpenAIChatMessages, toOpenAIChatTools } from "../../src/openai.ts";

const text = (said: string, openai?: object): ChatMessagePart => ({
  type: "text",
  text: said,
  ...(openai && { providerMetadata: { openai } }),
});
const call = (fields: Partial<ToolCallMessagePart> = {}): ToolCallMessagePart => ({
  type: "tool-call",
  tool: "search",
  toolCallId: "a",
  state: "done",
  input: { q: "Rome" },
  content: ["Rome"],
  ...fields,
});
const answerOf = (...parts: ChatMessagePart[]) =>
  toOpenAIChatMessages([{ role: "assistant", content: "", parts }]);
const contentOf = (part: Omit<Extract<ChatMessagePart, { type: "file" }>, "type">) => {
  const [message] = toOpenAIChatMessages([
    { role: "user", content: "Look", parts: [{ type: "file", ...part }] },
  ]);
  return (message!.content as unknown[])[1];
};
const base64 = (said: string) => Buffer.from(said).toString("base64");

describe("messages", () => {
  test("texts stay texts, those of one message joined, and empty ones are left out", () => {
    const messages: ChatMessage[] = [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: "AB",
        parts: [text("A"), { type: "data", name: "place", data: 1 }, text("B")],
      },
      { role: "assistant", content: "" },
      { role: "assistant", content: "C" },
    ];
    expect(toOpenAIChatMessages(messages)).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "A\n\nB" },
      { role: "assistant", content: "C" },
    ]);
  });

  test("calls have their results after them, each turn of the model its own message", () => {
    const next = call({ toolCallId: "b", tool: "read", input: null, content: "12 °C" });
    expect(answerOf(text("Let me look."), call(), text("One more."), next, text("Done."))).toEqual([
      {
        role: "assistant",
        content: "Let me look.",
        tool_calls: [{ id: "a", type: "function", function: { name: "search", arguments: '{"q":"Rome"}' } }],
      },
      { role: "tool", tool_call_id: "a", content: '["Rome"]' },
      {
        role: "assistant",
        content: "One more.",
        tool_calls: [{ id: "b", type: "function", function: { name: "read", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "b", content: "12 °C" },
      { role: "assistant", content: "Done." },
    ]);
  });

  test.each([
    [{ state: "error", errorMessage: "No network.", content: undefined }, "Error: No network."],
    [{ state: "error", content: { code: 1 } }, 'Error: {"code":1}'],
    [{ state: "denied", errorMessage: "too dear" }, "The call was denied: too dear"],
    [{ state: "interrupted" }, "The call was interrupted before it had a result."],
    [{ state: "awaiting-client" }, "The call was interrupted before it had a result."],
  ] as const)("the result of a call %o is %s", (fields, content) => {
    expect(answerOf(call(fields as Partial<ToolCallMessagePart>)).at(-1)).toEqual({
      role: "tool",
      tool_call_id: "a",
      content,
    });
  });

  test("arguments are always the JSON of an object: what the model wrote wrongly is a field of it", () => {
    const [message] = answerOf(call({ state: "error", input: '{"q":', errorMessage: "Not JSON." }));
    expect(message).toMatchObject({ tool_calls: [{ function: { arguments: '{"input":"{\\"q\\":"}' } }] });
  });

  test("what another provider has run is left out, and so is an answer without anything else", () => {
    expect(answerOf(call({ executor: "provider" }))).toEqual([]);
    expect(answerOf(call({ executor: "provider" }), text("12 °C"))).toEqual([
      { role: "assistant", content: "12 °C" },
    ]);
    const file: ChatMessagePart = {
      type: "file",
      mediaType: "image/png",
      url: "https://files.example/1.png",
    };
    expect(answerOf(file)).toEqual([]);
  });

  test("ids and names of another provider's calls become ones that the API accepts, each id once in an answer", () => {
    const long = "x".repeat(70);
    const calls = [
      call({ toolCallId: long, tool: "files.read" }),
      call({ toolCallId: `${long}y`, tool: "t".repeat(70) }),
      call({ toolCallId: "functions.search:0" }),
      call({ toolCallId: "functions.search:0" }),
    ];
    const [message, ...results] = answerOf(...calls);
    const ids = ["x".repeat(64), `${"x".repeat(62)}_2`, "functions.search:0", "functions.search:0_2"];
    expect(message).toMatchObject({
      tool_calls: [
        { id: ids[0], function: { name: "files_read" } },
        { id: ids[1], function: { name: "t".repeat(64) } },
        { id: ids[2] },
        { id: ids[3] },
      ],
    });
    expect(results.map((result) => "tool_call_id" in result && result.tool_call_id)).toEqual(ids);
    // Mistral accepts its own ids only, and may repeat one in a later answer.
    const later = answerOf(
      call({ toolCallId: "b9mgIC84m" }),
      text("And?"),
      call({ toolCallId: "b9mgIC84m" }),
    );
    expect(later.flatMap((one) => ("tool_call_id" in one ? one.tool_call_id : []))).toEqual([
      "b9mgIC84m",
      "b9mgIC84m",
    ]);
  });

  test("a custom tool gets its text back", () => {
    const custom = call({ tool: "shell", input: "ls", inputFormat: "text", content: "a.txt" });
    expect(answerOf(custom)).toEqual([
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "a", type: "custom", custom: { name: "shell", input: "ls" } }],
      },
      { role: "tool", tool_call_id: "a", content: "a.txt" },
    ]);
  });

  test("an input that is no text makes no custom call", () => {
    const [message] = answerOf(call({ inputFormat: "text" }));
    expect(message).toMatchObject({ tool_calls: [{ type: "function", function: { name: "search" } }] });
  });

  test("a question of data alone is left out", () => {
    const parts: ChatMessagePart[] = [{ type: "data", name: "place", data: 1 }];
    expect(toOpenAIChatMessages([{ role: "user", content: "", parts }])).toEqual([]);
  });

  test("a refusal is sent as one", () => {
    expect(answerOf(text("No.", { refusal: true }))).toEqual([
      { role: "assistant", content: null, refusal: "No." },
    ]);
  });

  test("a recording is named while the provider has it, and is its transcript after that", () => {
    vi.useFakeTimers({ now: 10_000 });
    const spoken = (expires_at: unknown) => text("Hello", { audio: { id: "audio_1", expires_at } });
    expect(answerOf(spoken(11))).toEqual([{ role: "assistant", content: null, audio: { id: "audio_1" } }]);
    for (const past of [10, undefined])
      expect(answerOf(spoken(past))).toEqual([{ role: "assistant", content: "Hello" }]);
    vi.useRealTimers();
  });

  test("metadata that a client has invented changes nothing", () => {
    const invented = [
      { refusal: "yes" },
      { audio: "x" },
      { field: "role" },
      { extra_content: [] },
      "x",
      null,
    ];
    for (const openai of invented) {
      const parts = [{ type: "reasoning" as const, text: "Hm" }, text("A"), call()];
      const said = parts.map((part) => ({ ...part, providerMetadata: { openai } }));
      expect(answerOf(...said)).toEqual(answerOf(...parts));
    }
  });
});

describe("reasoning", () => {
  const reasoning = (said: string, openai?: object): ChatMessagePart => ({
    type: "reasoning",
    text: said,
    ...(openai && { providerMetadata: { openai } }),
  });

  test.each(["reasoning", "reasoning_content"])(
    "goes back in its field %s while the answer is in progress",
    (field) => {
      const parts = [reasoning("Hm", { field }), call()];
      const answer: ChatMessage = { role: "assistant", content: "", parts };
      expect(toOpenAIChatMessages([{ role: "user", content: "Hi" }, answer])[1]).toMatchObject({
        [field]: "Hm",
      });
      const after = toOpenAIChatMessages([answer, { role: "user", content: "Hi" }])[0];
      expect(after).not.toHaveProperty(field);
    },
  );

  test("goes back as the list of details, the latest one, where there is one", () => {
    const [first, second] = [[{ type: "a" }], [{ type: "a" }, { type: "b" }]];
    const [message] = answerOf(
      reasoning("", { reasoning_details: first }),
      reasoning("Hm", { field: "reasoning", reasoning_details: second }),
      text("Yes"),
    );
    expect(message).toEqual({ role: "assistant", content: "Yes", reasoning_details: second });
  });

  test("of other providers is left out", () => {
    expect(answerOf(reasoning("Hm"), text("Yes"))).toEqual([{ role: "assistant", content: "Yes" }]);
  });
});

describe("files", () => {
  test.each(["https://files.example/1.png", "http://files.example/1.png", "data:image/png;base64,AA=="])(
    "the image %s is sent by its URL",
    (url) => {
      expect(contentOf({ mediaType: "image/PNG", url })).toEqual({ type: "image_url", image_url: { url } });
    },
  );

  test("a text before it stays, and files stand in a list", () => {
    const parts: ChatMessagePart[] = [
      { type: "file", mediaType: "image/png", url: "data:image/png;base64,AA==" },
    ];
    expect(toOpenAIChatMessages([{ role: "user", content: "Look", parts }])).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
        ],
      },
    ]);
  });

  test.each([
    ["audio/wav", "wav"],
    ["audio/mpeg; rate=44100", "mp3"],
  ])("sound of the type %s is %s", (mediaType, format) => {
    const url = `data:${mediaType.split(";")[0]};base64,AA==`;
    expect(contentOf({ mediaType, url })).toEqual({
      type: "input_audio",
      input_audio: { data: "AA==", format },
    });
  });

  test("a PDF is sent whole, or by its id at OpenAI", () => {
    const url = "data:application/pdf;base64,AA==";
    const mediaType = "application/pdf";
    expect(contentOf({ mediaType, url, name: "a.pdf" })).toEqual({
      type: "file",
      file: { file_data: url, filename: "a.pdf" },
    });
    expect(contentOf({ mediaType, url: "", providerReference: { openai: "file-1" } })).toEqual({
      type: "file",
      file: { file_id: "file-1" },
    });
  });

  test.each(["text/csv", "application/json"])("a file of the type %s is sent as text", (mediaType) => {
    const url = `data:${mediaType};base64,${base64("1 €")}`;
    expect(contentOf({ mediaType, url, name: "a" })).toEqual({ type: "text", text: "a:\n\n1 €" });
  });

  test.each([
    [
      { mediaType: "application/pdf", url: "https://files.example/a.pdf", name: "a.pdf" },
      "a.pdf, application/pdf, https://files.example/a.pdf",
    ],
    [{ mediaType: "image/svg+xml", url: "data:image/svg+xml;base64,AA==" }, "image/svg+xml"],
    [{ mediaType: "image/png", url: "", providerReference: { openai: "file-1" } }, "image/png"],
    [{ mediaType: "image/png", url: "blob:x" }, "image/png"],
    [{ mediaType: "video/mp4", url: "data:video/mp4;base64,AA==", name: "a.mp4" }, "a.mp4, video/mp4"],
    [{ mediaType: "text/plain", url: "data:text/plain;base64,/w==", name: "a" }, "a, text/plain"],
    [{ mediaType: "text/plain", url: "data:text/plain;base64,?", name: "a" }, "a, text/plain"],
    [{ mediaType: "text/plain", url: "data:text/plain,A" }, "text/plain"],
    [{ mediaType: "constructor", url: "data:;base64,AA==" }, "constructor"],
  ])("%o is only named", (file, words) => {
    expect(contentOf(file)).toEqual({ type: "text", text: `[File: ${words}]` });
  });
});

test("tools of the client are functions", () => {
  const inputSchema = { type: "object", properties: {} };
  expect(toOpenAIChatTools([{ name: "locate", description: "Where the user is", inputSchema }])).toEqual([
    {
      type: "function",
      function: { name: "locate", description: "Where the user is", parameters: inputSchema },
    },
  ]);
  expect(toOpenAIChatTools([{ name: "now", description: "The time" }])).toEqual([
    { type: "function", function: { name: "now", description: "The time" } },
  ]);
  expect(toOpenAIChatTools()).toEqual([]);
});

test("an answer that was streamed goes back as the provider's own message", async () => {
  const extra = { extra_content: { google: { thought_signature: "s" } } };
  const details = [{ type: "reasoning.encrypted", data: "e" }];
  const events = [
    { id: "1", choices: [{ delta: { reasoning: "Hm", reasoning_details: details } }] },
    { choices: [{ delta: { content: "Look." } }] },
    {
      choices: [
        {
          delta: {
            tool_calls: [{ id: "a", function: { name: "search", arguments: '{"q":"Rome"}' }, ...extra }],
          },
        },
      ],
    },
    { choices: [{ delta: { function_call: { name: "old", arguments: "{}" } } }] },
    { choices: [{ delta: {}, finish_reason: "tool_calls" }] },
  ];
  const stream = (async function* () {
    yield* events;
  })();
  const chunks = await collectStream(fromOpenAIChat(stream, { terminal: false }));
  const results = [
    { type: "tool-call-result", tool: "search", toolCallId: "a", content: 1 },
    { type: "tool-call-result", tool: "old", toolCallId: "1:function_call", content: 1 },
  ] as const;
  const { parts } = reduceMessage([...chunks, ...results]);
  expect(
    toOpenAIChatMessages([{ role: "assistant", content: "", parts: parts as ChatMessagePart[] }]),
  ).toEqual([
    {
      role: "assistant",
      content: "Look.",
      reasoning_details: details,
      tool_calls: [
        { id: "a", type: "function", function: { name: "search", arguments: '{"q":"Rome"}' }, ...extra },
      ],
      function_call: { name: "old", arguments: "{}" },
    },
    { role: "tool", tool_call_id: "a", content: "1" },
    { role: "function", name: "old", content: "1" },
  ]);
});
