import type { ChatMessage, ChatMessagePart, StreamChunk, ToolCallMessagePart } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnthropicEvent, fromAnthropic } from "../../src/adapters/anthropic.ts";
import { toAnthropicPrompt, toAnthropicTools } from "../../src/adapters/anthropic-prompt.ts";
import { block, drain, end, json, play, start, text as textBlock, toSentParts } from "./anthropic-answers.ts";
import { findBrokenRules } from "./anthropic-rules.ts";

const user = (content: string, parts?: ChatMessagePart[]): ChatMessage => ({
  role: "user",
  content,
  ...(parts && { parts }),
});
const assistant = (...parts: ChatMessagePart[]): ChatMessage => ({ role: "assistant", content: "", parts });
const text = (said: string): ChatMessagePart => ({ type: "text", text: said });
const call = (toolCallId: string, fields: Partial<ToolCallMessagePart> = {}): ToolCallMessagePart => ({
  type: "tool-call",
  tool: "search",
  toolCallId,
  state: "done",
  input: { q: 1 },
  content: "found",
  ...fields,
});
const file = (fields: object) =>
  ({ type: "file", mediaType: "image/png", url: "", ...fields }) as ChatMessagePart;

const messagesOf = (...messages: ChatMessage[]) => toAnthropicPrompt(messages).messages;
/** The blocks of the only message, the user's. */
const blocksOf = (...parts: ChatMessagePart[]) => messagesOf(user("", parts))[0]?.content;

describe("a conversation", () => {
  test("has its system's texts apart", () => {
    const messages: ChatMessage[] = [
      { role: "system", content: "Be brief." },
      user("Hello"),
      { role: "system", content: "Be kind." },
      { role: "system", content: " " },
    ];
    expect(toAnthropicPrompt(messages)).toEqual({
      system: "Be brief.\n\nBe kind.",
      messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
    });
    expect(toAnthropicPrompt([user("Hello")])).not.toHaveProperty("system");
  });

  test("merges neighbours of the same role, without blank texts", () => {
    expect(
      messagesOf(
        user("a"),
        user(" \n"),
        user("b"),
        assistant(text("c")),
        assistant(text(""), text("d")),
        user("e"),
      ),
    ).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "text", text: "c" },
          { type: "text", text: "d" },
        ],
      },
      { role: "user", content: [{ type: "text", text: "e" }] },
    ]);
  });

  test("that begins with a greeting begins with the user all the same", () => {
    const [first, second] = messagesOf(assistant(text("Hello! How can I help?")), user("Hi"));
    expect(first).toEqual({ role: "user", content: [{ type: "text", text: "(The assistant begins.)" }] });
    expect(second).toEqual({
      role: "assistant",
      content: [{ type: "text", text: "Hello! How can I help?" }],
    });
  });

  test("that ends with a text to continue has no white space after it, and only there", () => {
    const messages = messagesOf(user("a "), assistant(text("b ")), user("c"), assistant(text("It is \n")));
    expect(messages.map(({ content }) => content)).toEqual(
      ["a ", "b ", "c", "It is"].map((said) => [{ type: "text", text: said }]),
    );
    expect(messagesOf(user("a "))).toEqual([{ role: "user", content: [{ type: "text", text: "a " }] }]);
  });

  test("of nothing is nothing", () => {
    expect(toAnthropicPrompt([])).toEqual({ messages: [] });
  });
});

describe("calls", () => {
  test("have all of their results in the message after them, before the next text of the user", () => {
    const failed = call("t2", { state: "error", content: undefined, errorMessage: "No." });
    expect(
      messagesOf(user("?"), assistant(text("Let me look."), call("t1"), failed), user("Thanks")),
    ).toEqual([
      { role: "user", content: [{ type: "text", text: "?" }] },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Let me look." },
          { type: "tool_use", id: "t1", name: "search", input: { q: 1 } },
          { type: "tool_use", id: "t2", name: "search", input: { q: 1 } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "t1", content: "found" },
          { type: "tool_result", tool_use_id: "t2", content: "No.", is_error: true },
          { type: "text", text: "Thanks" },
        ],
      },
    ]);
  });

  test("without a result are closed", () => {
    const [, , results] = messagesOf(
      user("?"),
      assistant(call("t1", { state: "running", content: undefined })),
    );
    expect(results?.content).toEqual([
      {
        type: "tool_result",
        tool_use_id: "t1",
        content: "The call was interrupted before it had a result.",
        is_error: true,
      },
    ]);
  });

  test("of one answer in several turns alternate with their results", () => {
    const messages = messagesOf(
      user("?"),
      assistant(call("t1"), text("One more."), call("t2"), text("Done.")),
    );
    expect(messages.map(({ role, content }) => [role, ...content.map(({ type }) => type)])).toEqual([
      ["user", "text"],
      ["assistant", "tool_use"],
      ["user", "tool_result"],
      ["assistant", "text", "tool_use"],
      ["user", "tool_result"],
      ["assistant", "text"],
    ]);
  });

  test("of another provider get ids and names that the API accepts, each once", () => {
    const messages = messagesOf(
      user("?"),
      assistant(call("chat:1", { tool: "web.search" }), call("chat:1"), call("chat_1_2"), call("")),
    );
    expect(messages[1]?.content).toMatchObject([
      { id: "chat_1", name: "web_search" },
      { id: "chat_1_2", name: "search" },
      { id: "chat_1_2_2" },
      { id: "call" },
    ]);
    expect(messages[2]?.content).toMatchObject(
      ["chat_1", "chat_1_2", "chat_1_2_2", "call"].map((tool_use_id) => ({ tool_use_id })),
    );
  });

  test.each([
    [{ input: undefined }, {}],
    [{ input: null }, {}],
    [{ input: [1] }, { input: [1] }],
    [{ input: "SELECT 1", inputFormat: "text" }, { input: "SELECT 1" }],
    [{ input: '{"q": "unfini', state: "error" as const }, { INVALID_JSON: '{"q": "unfini' }],
  ])("have an object as their input: %o", (fields, input) => {
    expect(messagesOf(user("?"), assistant(call("t1", fields)))[1]?.content).toMatchObject([{ input }]);
  });

  test.each([
    [{ content: { a: 1 } }, { content: '{"a":1}' }],
    [{ content: "" }, {}],
    [{ content: [] }, { content: "[]" }],
    [
      { content: "", state: "error" as const },
      { content: "The tool failed.", is_error: true },
    ],
    [
      {
        content: [
          { type: "text", text: "A map:" },
          { type: "text", text: "" },
          { type: "image", data: "AAAA", mimeType: "image/png" },
        ],
      },
      {
        content: [
          { type: "text", text: "A map:" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
        ],
      },
    ],
    [{ content: [{ type: "text", text: "" }] }, {}],
    [
      { content: [{ type: "image", data: "AAAA", mimeType: "image/tiff" }] },
      { content: '[{"type":"image","data":"AAAA","mimeType":"image/tiff"}]' },
    ],
  ])("have results that the API accepts: %o", (fields, result) => {
    const [, , results] = messagesOf(user("?"), assistant(call("t1", fields)));
    expect(results?.content).toEqual([{ type: "tool_result", tool_use_id: "t1", ...result }]);
  });
});

describe("a file", () => {
  const base64 = "data:image/png;base64,AAAA";
  const pdf = "application/pdf";
  test.each([
    [{ url: base64 }, { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }],
    [
      { url: "data:image/jpg;base64,AA", mediaType: "image/jpg" },
      { type: "image", source: { type: "base64", media_type: "image/jpeg", data: "AA" } },
    ],
    [
      { url: "https://files.example/1.png" },
      { type: "image", source: { type: "url", url: "https://files.example/1.png" } },
    ],
    [
      { providerReference: { anthropic: "file_1" } },
      { type: "image", source: { type: "file", file_id: "file_1" } },
    ],
    [
      { mediaType: pdf, url: "data:application/pdf;base64,AAAA", name: "a.pdf" },
      { type: "document", source: { type: "base64", media_type: pdf, data: "AAAA" }, title: "a.pdf" },
    ],
    [
      { mediaType: pdf, url: "https://files.example/1.pdf" },
      { type: "document", source: { type: "url", url: "https://files.example/1.pdf" } },
    ],
    [
      { mediaType: pdf, providerReference: { anthropic: "file_2" }, name: "a.pdf" },
      { type: "document", source: { type: "file", file_id: "file_2" }, title: "a.pdf" },
    ],
    [
      { mediaType: "text/csv", providerReference: { anthropic: "file_3" } },
      { type: "container_upload", file_id: "file_3" },
    ],
    [
      { mediaType: "Text/Markdown; charset=utf-8", url: "data:text/markdown;base64,SGnDvA==", name: "a.md" },
      { type: "document", source: { type: "text", media_type: "text/plain", data: "Hiü" }, title: "a.md" },
    ],
    [
      { mediaType: "application/ld+json", url: "data:,%7B%7D" },
      { type: "document", source: { type: "text", media_type: "text/plain", data: "{}" } },
    ],
  ])("is what the API reads: %o", (fields, expected) => {
    expect(blocksOf(file(fields))).toEqual([expected]);
  });

  test.each([
    [
      { mediaType: "image/svg+xml", url: "data:image/svg+xml;base64,AAAA", name: "a.svg" },
      "[File: a.svg, image/svg+xml]",
    ],
    [{ mediaType: "image/png", url: "blob:https://app.example/1" }, "[File: image/png]"],
    [
      { mediaType: "text/plain", url: "https://files.example/a.txt", name: "a.txt" },
      "[File: a.txt, text/plain, https://files.example/a.txt]",
    ],
    [{ mediaType: "text/plain", url: "data:text/plain;base64,/w==" }, "[File: text/plain]"],
    [{ mediaType: "text/plain", url: "data:text/plain;base64,!" }, "[File: text/plain]"],
    [{ mediaType: "text/plain", url: "data:text/plain,%20" }, "[File: text/plain]"],
    [{ mediaType: pdf, url: "data:application/pdf,a" }, "[File: application/pdf]"],
    [
      {
        mediaType: "audio/mpeg",
        url: "https://files.example/1.mp3",
        providerReference: { openai: "file-1" },
      },
      "[File: audio/mpeg, https://files.example/1.mp3]",
    ],
  ])("that it cannot read is a text with its name: %o", (fields, said) => {
    expect(blocksOf(file(fields))).toEqual([{ type: "text", text: said }]);
  });

  test("of an answer is a text with its name, unless Anthropic has made it", () => {
    const made = file({
      providerReference: { anthropic: "file_1" },
      providerMetadata: { anthropic: { type: "container_upload" } },
    });
    expect(
      messagesOf(user("?"), assistant(file({ url: base64, name: "cat.png" }), made))[1]?.content,
    ).toEqual([
      { type: "text", text: "[File: cat.png, image/png]" },
      { type: "container_upload", file_id: "file_1" },
    ]);
  });
});

/** @returns the message that answers of Anthropic become, each a step, in a page that sends it back. */
async function answerOf(...answers: AnthropicEvent[][]): Promise<ChatMessage> {
  const turns = await Promise.all(
    answers.map((events) =>
      drain(fromAnthropic(play([start(), ...events, ...end("tool_use")]), { terminal: false })),
    ),
  );
  const chunks = turns.flatMap((turn, index): StreamChunk[] => [
    { type: "step-start", stepId: String(index) },
    ...turn.chunks,
  ]);
  return assistant(...toSentParts(chunks));
}

describe("what Anthropic has sent is returned as it came", () => {
  const answerAfter = async (...events: AnthropicEvent[]) =>
    messagesOf(user("?"), await answerOf(events), user("And now?"))[1]?.content;

  test("thinking, with its signature, also where it is hidden or redacted", async () => {
    const thinking = { type: "thinking", thinking: " Let me\nsee. ", signature: "c2ln" };
    const hidden = { type: "thinking", thinking: "", signature: "b3RoZXI=" };
    const redacted = { type: "redacted_thinking", data: "RU5D" };
    const deltas = [
      { type: "thinking_delta", thinking: " Let me\nsee. " },
      { type: "signature_delta", signature: "c2ln" },
    ];
    expect(
      await answerAfter(
        ...block(0, { type: "thinking", thinking: "", signature: "" }, ...deltas),
        ...block(1, redacted),
        ...block(
          2,
          { type: "thinking", thinking: "", signature: "" },
          { type: "signature_delta", signature: "b3RoZXI=" },
        ),
        ...textBlock(3, "Hello"),
      ),
    ).toEqual([thinking, redacted, hidden, { type: "text", text: "Hello" }]);
  });

  test("quotes, in the blocks into which the text was cut", async () => {
    const web = {
      type: "web_search_result_location",
      url: "https://a.example/",
      title: "A",
      cited_text: "a",
      encrypted_index: "RW8",
    };
    const char = {
      type: "char_location",
      cited_text: "b",
      document_index: 0,
      document_title: null,
      start_char_index: 0,
      end_char_index: 1,
    };
    const quoted = (index: number, said: string, citation: object) =>
      block(
        index,
        { type: "text", text: "" },
        { type: "text_delta", text: said },
        { type: "citations_delta", citation },
      );
    expect(
      await answerAfter(
        ...textBlock(0, "It is "),
        ...quoted(1, "a", web),
        ...textBlock(2, " \n"),
        ...quoted(3, "b", { ...char, file_id: "file_1" }),
        ...textBlock(4, " "),
      ),
    ).toEqual([
      { type: "text", text: "It is " },
      { type: "text", text: "a", citations: [web] },
      { type: "text", text: " \nb ", citations: [char] },
    ]);
  });

  test("the text alone, if it was changed since", async () => {
    const citation = { type: "search_result_location", source: "a", cited_text: "a" };
    const answer = await answerOf(
      block(0, { type: "text", text: "abc" }, { type: "citations_delta", citation }),
    );
    const said = answer.parts!.find(({ type }) => type === "text");
    const changed = { ...said, text: "abcd" } as ChatMessagePart;
    expect(messagesOf(user("?"), assistant(changed), user("!"))[1]?.content).toEqual([
      { type: "text", text: "abcd" },
    ]);
  });

  test("calls, with the caller and the toolset", async () => {
    const use = {
      type: "tool_use",
      id: "t1",
      name: "key",
      caller: { type: "direct" },
      toolset_name: "computer",
    };
    const answer = await answerOf(block(0, { ...use, input: {} }, ...json('{"k":"a"}')));
    expect(messagesOf(user("?"), answer).slice(1)).toMatchObject([
      { content: [{ ...use, input: { k: "a" } }] },
      { content: [{ type: "tool_result", tool_use_id: "t1", toolset_name: "computer" }] },
    ]);
  });

  const search = {
    type: "server_tool_use",
    id: "srvtoolu_1",
    name: "web_search",
    caller: { type: "direct" },
  };
  const searched = {
    type: "web_search_tool_result",
    tool_use_id: "srvtoolu_1",
    caller: { type: "direct" },
    content: [
      { type: "web_search_result", url: "https://a.example/", title: "A", encrypted_content: "RU5D" },
    ],
  };

  test("tools that Anthropic runs, with their whole results", async () => {
    const mcp = { type: "mcp_tool_use", id: "mcptoolu_1", name: "echo.it", server_name: "tools" };
    const echoed = { type: "mcp_tool_result", tool_use_id: "mcptoolu_1", is_error: true, content: "No." };
    expect(
      await answerAfter(
        ...block(0, { ...search, input: {} }, ...json('{"query":"a"}')),
        ...block(1, searched),
        ...block(2, { ...mcp, input: {} }, ...json("{}")),
        ...block(3, echoed),
        ...block(4, { type: "container_upload", file_id: "file_1" }),
        ...textBlock(5, "A"),
      ),
    ).toEqual([
      { ...search, input: { query: "a" } },
      searched,
      { ...mcp, input: {} },
      echoed,
      { type: "container_upload", file_id: "file_1" },
      { type: "text", text: "A" },
    ]);
  });

  test("a paused answer at the end, with the call that has no result; later on, that call is left out", async () => {
    const paused = await answerOf([
      ...textBlock(0, "Let me see."),
      ...block(1, { ...search, input: {} }, ...json("{}")),
    ]);
    expect(messagesOf(user("?"), paused)[1]?.content).toEqual([
      { type: "text", text: "Let me see." },
      { ...search, input: {} },
    ]);
    expect(messagesOf(user("?"), paused, user("Well?"))[1]?.content).toEqual([
      { type: "text", text: "Let me see." },
    ]);
  });

  test("the rest of a paused answer, with the result of its last call", async () => {
    const answer = await answerOf(block(0, { ...search, input: {} }, ...json("{}")), [
      ...block(0, searched),
      ...textBlock(1, "A"),
    ]);
    expect(messagesOf(user("?"), answer, user("!"))[1]?.content).toEqual([
      { ...search, input: {} },
      searched,
      { type: "text", text: "A" },
    ]);
  });

  const program = {
    type: "server_tool_use",
    id: "srvtoolu_2",
    name: "code_execution",
    input: { code: "call()" },
  };
  const caller = { type: "code_execution_20260120", tool_id: "srvtoolu_2" };
  const ran = {
    type: "code_execution_tool_result",
    tool_use_id: "srvtoolu_2",
    content: { type: "code_execution_result", stdout: "1" },
  };
  const ofProgram = (id: string) => block(1, { type: "tool_use", id, name: "sum", input: { a: 1 }, caller });

  test("a program that calls tools: its result comes after theirs", async () => {
    const running = [...block(0, program), ...ofProgram("t1")];
    const again = ofProgram("t2");
    const shape = (messages: ReturnType<typeof messagesOf>) =>
      messages.map(({ content }) => content.map(({ type }) => type).join(" "));
    const first = await answerOf(running);
    expect(messagesOf(user("?"), first)[1]?.content).toMatchObject([program, { type: "tool_use", caller }]);
    const calling = messagesOf(user("?"), await answerOf(running, again));
    expect(calling[1]?.content).toMatchObject([program, { type: "tool_use", caller }]);
    expect(calling[3]?.content).toMatchObject([{ type: "tool_use", caller }]);
    const answer = await answerOf(running, again, [...block(0, ran), ...textBlock(1, "It is 1.")]);
    const messages = messagesOf(user("?"), answer, user("!"));
    expect(shape(messages)).toEqual([
      "text",
      "server_tool_use tool_use",
      "tool_result",
      "tool_use",
      "tool_result",
      "code_execution_tool_result text",
      "text",
    ]);
    expect(messages[5]?.content[0]).toEqual(ran);
    expect(findBrokenRules({ messages })).toEqual([]);
  });

  test("a program of which only the result came last ends the conversation with it", async () => {
    const search = { type: "server_tool_use", id: "srvtoolu_9", name: "web_search", input: {} };
    const answer = await answerOf(
      [...block(0, program), ...ofProgram("t1"), ...block(2, search)],
      block(0, ran),
    );
    const messages = messagesOf(user("?"), answer);
    expect(messages.map(({ content }) => content.map(({ type }) => type).join(" "))).toEqual([
      "text",
      "server_tool_use tool_use",
      "tool_result",
      "code_execution_tool_result",
    ]);
  });

  test("a program that never ended is left out: its calls are the model's own", async () => {
    const messages = messagesOf(
      user("?"),
      await answerOf([...block(0, program), ...ofProgram("t1")]),
      user("!"),
    );
    expect(messages[1]?.content).toEqual([{ type: "tool_use", id: "t1", name: "sum", input: { a: 1 } }]);
  });

  test("blocks of the beta API", async () => {
    const compaction = {
      type: "compaction",
      content: "They spoke.",
      encrypted_content: null,
      signature: "c2ln",
    };
    expect(await answerAfter(...block(0, compaction), ...textBlock(1, "A"))).toEqual([
      compaction,
      { type: "text", text: "A" },
    ]);
  });
});

test("thinking that the API would refuse is left out: unsigned, or the last of an answer", () => {
  const unsigned: ChatMessagePart = { type: "reasoning", text: "Hm" };
  const signed: ChatMessagePart = { ...unsigned, providerMetadata: { anthropic: { signature: "s" } } };
  expect(
    messagesOf(user("a"), assistant(signed), user("b"), assistant(unsigned, text("c"), signed), user("d")),
  ).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    },
    { role: "assistant", content: [{ type: "text", text: "c" }] },
    { role: "user", content: [{ type: "text", text: "d" }] },
  ]);
});

test("what is not for Anthropic is left out: calls that another provider ran, and data", () => {
  const compaction = { anthropic: { type: "compaction" } };
  const blank: ChatMessagePart = { type: "data", name: "a", data: "text", providerMetadata: compaction };
  const other = call("ws_1", { executor: "provider", providerMetadata: { openai: { id: "ws_1" } } });
  const data: ChatMessagePart = { type: "data", name: "weather", data: { type: "compaction" } };
  expect(messagesOf(user("?", [text("?"), data]), assistant(other, data, blank, text("A")))).toEqual([
    { role: "user", content: [{ type: "text", text: "?" }] },
    { role: "assistant", content: [{ type: "text", text: "A" }] },
  ]);
});

test("tools have an object as the schema of their input", () => {
  const inputSchema = { properties: { path: { type: "string" } }, required: ["path"] };
  expect(
    toAnthropicTools([
      { name: "print", description: "Prints the page." },
      { name: "open", description: "", inputSchema },
    ]),
  ).toEqual([
    { name: "print", description: "Prints the page.", input_schema: { type: "object", properties: {} } },
    { name: "open", input_schema: { type: "object", ...inputSchema } },
  ]);
});

describe("any conversation keeps the rules of the API", () => {
  const words = fc.constantFrom("", " ", "a", "b \n", "Hello");
  const id = fc.constantFrom("t1", "t2", "t1_2", "srvtoolu_1", "srvtoolu_2", "chat:1", "");
  const state = fc.constantFrom(
    "running",
    "awaiting-client",
    "done",
    "error",
    "denied",
    "interrupted",
  ) as fc.Arbitrary<ToolCallMessagePart["state"]>;
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constant(undefined));
  const caller = fc.record({ type: fc.constant("code_execution_20260120"), tool_id: id });
  const part: fc.Arbitrary<ChatMessagePart> = fc.oneof(
    fc.record({ type: fc.constant("text" as const), text: words }),
    fc.record(
      {
        type: fc.constant("text" as const),
        text: words,
        providerMetadata: fc.record({
          anthropic: fc.record({
            blocks: fc.array(
              fc.record({ end: fc.oneof(fc.nat(6), fc.jsonValue()), citations: fc.constant([{}]) }),
            ),
          }),
        }),
      },
      { requiredKeys: ["type", "text"] },
    ),
    fc.record({
      type: fc.constant("reasoning" as const),
      text: words,
      providerMetadata: fc.constantFrom(
        undefined,
        { anthropic: { signature: "s" } },
        { anthropic: { signature: 1 } },
        { anthropic: { type: "redacted_thinking", data: "d" } },
        { anthropic: 1 },
      ),
    }),
    fc.record({ type: fc.constant("step" as const), stepId: id }),
    fc.constantFrom(
      file({ url: "https://files.example/1.png" }),
      file({ url: "data:text/plain,a", mediaType: "text/plain" }),
      file({
        providerReference: { anthropic: "f" },
        providerMetadata: { anthropic: { type: "container_upload" } },
      }),
    ),
    fc.record({
      type: fc.constant("data" as const),
      name: id,
      data: anything,
      providerMetadata: fc.constant({ anthropic: { type: "compaction" } }),
    }),
    fc.record({
      type: fc.constant("tool-call" as const),
      toolCallId: id,
      tool: fc.constantFrom("search", "a.b", ""),
      state,
      input: anything,
      content: anything,
      providerMetadata: fc.oneof(
        fc.constant(undefined),
        fc.record({ anthropic: fc.record({ caller: fc.oneof(caller, fc.jsonValue()) }) }),
      ),
    }),
    fc.record({
      type: fc.constant("tool-call" as const),
      toolCallId: id,
      tool: fc.constantFrom("web_search", "code_execution"),
      executor: fc.constant("provider" as const),
      state,
      input: anything,
      content: anything,
      providerMetadata: fc.constantFrom(
        undefined,
        { anthropic: { type: "server_tool_use" } },
        { anthropic: { type: "image" } },
      ),
      resultProviderMetadata: fc.constantFrom(
        undefined,
        { anthropic: { type: "web_search_tool_result" } },
        { anthropic: { type: "tool_use" } },
      ),
    }),
  );
  const message: fc.Arbitrary<ChatMessage> = fc.record(
    {
      role: fc.constantFrom("user" as const, "assistant" as const, "assistant" as const, "system" as const),
      content: words,
      parts: fc.array(part, { maxLength: 6 }),
    },
    { requiredKeys: ["role", "content"] },
  );

  test("whatever it consists of", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const given = structuredClone(messages);
        expect(findBrokenRules(toAnthropicPrompt(messages))).toEqual([]);
        expect(messages).toEqual(given);
      }),
      { numRuns: 2000 },
    );
  });
});
