import { describe, expect, test, vi } from "vitest";
import { ChatRequestError } from "../../src/route/chat-request-error.ts";
import { parseChatRequestBody, readChatRequest } from "../../src/route/read-chat-request.ts";

const messages = [{ role: "user", content: "Hi" }];

function issuesOf(body: unknown): string[] {
  try {
    parseChatRequestBody(body);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ChatRequestError);
    const { status, code, issues, message } = error as ChatRequestError;
    expect({ status, code }).toEqual({ status: 400, code: "invalid-request" });
    const printed = issues.map(
      ({ path, expected, received }) => `${path || "the body"} must be ${expected}, got ${received}`,
    );
    expect(message).toBe(`Invalid chat request: ${printed.join("; ")}.`);
    return printed;
  }
}

test("a valid body is returned with its ids trimmed and its unknown keys kept", () => {
  const body = {
    messages: [{ role: "user", content: "Hi", id: " m ", timestamp: 1, metadata: { a: 1 }, mood: "good" }],
    sessionId: " s ",
    workflowId: "",
    context: { user: 1 },
    stream: false,
    idempotencyKey: "k",
    resume: { requestId: "r", resumeToken: "t", answer: ["a"] },
    theme: "dark",
  };
  expect(parseChatRequestBody(body)).toEqual({
    ...body,
    messages: [{ ...body.messages[0], id: "m" }],
    sessionId: "s",
    workflowId: undefined,
    resumes: [body.resume],
  });
});

test("an id may have 256 characters after trimming, and a token as many as the body", () => {
  const longest = "i".repeat(256);
  const body = {
    messages: [{ ...messages[0], id: longest }],
    sessionId: ` ${longest} `,
    workflowId: longest,
    resume: { requestId: longest, resumeToken: "t".repeat(10_000), answer: "a" },
  };
  expect(parseChatRequestBody(body)).toEqual({ ...body, sessionId: longest, resumes: [body.resume] });
});

describe("an answer in the metadata of the last message", () => {
  const carried = { token: "t", requestId: "r", selected: ["a", "b"] };
  const answered = { requestId: "r", resumeToken: "t", answer: ["a", "b"] };
  const userMessage = (content: string, resume?: unknown) => ({
    role: "user",
    content,
    metadata: { mood: "good", resume },
  });

  test("becomes the resume, and also stays in the metadata", () => {
    const body = { messages: [...messages, userMessage("Apples, Bananas", carried)] };
    expect(parseChatRequestBody(body)).toEqual({ ...body, resume: answered, resumes: [answered] });
    const cancelled = { messages: [userMessage("", { ...carried, cancel: true })] };
    const resume = { requestId: "r", resumeToken: "t", outcome: "cancelled" };
    expect(parseChatRequestBody(cancelled)).toEqual({ ...cancelled, resume, resumes: [resume] });
  });

  test("becomes a string if it is one text or choice, as a chat sends it", () => {
    const body = { messages: [userMessage("Apples", { ...carried, selected: ["a"] })] };
    expect(parseChatRequestBody(body).resume).toEqual({ ...answered, answer: "a" });
  });

  test("is overridden by a resume in the body", () => {
    const own = { requestId: "r2", resumeToken: "t2", answer: "b" };
    const body = { messages: [userMessage("Apples", carried)], resume: own };
    expect(parseChatRequestBody(body)).toEqual({ ...body, resumes: [own] });
    const several = { messages: body.messages, resumes: [own] };
    expect(parseChatRequestBody(several)).toEqual({ ...several, resume: own });
  });

  test("is ignored in an earlier message, or if it does not have the shape of an answer", () => {
    for (const all of [
      [],
      [userMessage("Apples", carried), ...messages],
      [userMessage("Apples", { ...carried, token: 7 })],
      [userMessage("Apples", { ...carried, selected: [7] })],
      [userMessage("See my CV", { file: "cv.pdf" })],
      [userMessage("Hi", null)],
    ]) {
      const body = parseChatRequestBody({ messages: all });
      expect(body).toEqual({ messages: all });
      expect(body).not.toHaveProperty("resume");
      expect(body).not.toHaveProperty("resumes");
    }
  });
});

test("null counts as absent in an optional field, for languages without undefined, and is kept elsewhere", () => {
  const body = {
    messages: [{ id: null, role: "user", content: "Hi", timestamp: null, metadata: null, name: null }],
    sessionId: null,
    workflowId: null,
    context: null,
    stream: null,
    idempotencyKey: null,
    resume: null,
    theme: null,
  };
  const parsed = parseChatRequestBody(body);
  expect(JSON.parse(JSON.stringify(parsed))).toEqual({
    messages: [{ role: "user", content: "Hi", name: null }],
    theme: null,
  });
  expect(parsed).toMatchObject({ context: undefined, stream: undefined, resume: undefined });
  const inside = {
    messages: [{ role: "user", content: "Hi", metadata: { a: null } }],
    context: { a: null, b: [null] },
    resume: { requestId: "r", resumeToken: "t", answer: "a", more: null },
  };
  expect(parseChatRequestBody(inside)).toEqual({ ...inside, resumes: [inside.resume] });
});

describe("the answers to several questions", () => {
  const ask = (fields: object) => ({ requestId: "q1", resumeToken: "t", ...fields });
  const choice = ask({ answer: ["a"] });

  test.each<[string, object[], unknown]>([
    ["a text", [ask({ answer: "yes" })], ask({ answer: "yes" })],
    ["no options", [ask({ answer: [] })], ask({ answer: [] })],
    [
      "ids after JSON",
      [ask({ answer: { a: 1 } }), { ...choice, requestId: "q2" }],
      { ...choice, requestId: "q2" },
    ],
    [
      "a cancelled question",
      [ask({ outcome: "cancelled", reason: "No." })],
      ask({ outcome: "cancelled", reason: "No." }),
    ],
    ["only JSON", [ask({ answer: null }), ask({ requestId: "q2", answer: ["a", 7] })], undefined],
    ["a cancelled question with JSON", [ask({ outcome: "cancelled", answer: 7 })], undefined],
  ])("have the first that suits it as `resume`: %s", (_, resumes, resume) => {
    // Anything else in its place would be an answer that no verification of `resumes` has seen.
    const other = ask({ requestId: "other", answer: "b" });
    expect(parseChatRequestBody({ messages, resumes, resume: other })).toEqual({ messages, resumes, resume });
  });

  test("are those of `resume` or the metadata if the list is empty", () => {
    expect(parseChatRequestBody({ messages, resumes: [], resume: choice }).resumes).toEqual([choice]);
  });
});

test("every field of parts, answers, results and tools is returned as it was sent", () => {
  const providerMetadata = { anthropic: { signature: "s" } };
  const call = { type: "tool-call", toolCallId: " 1 ", tool: "search", input: null, more: 1 };
  const body = {
    messages: [
      {
        role: "user",
        content: "Look",
        parts: [
          { type: "text", text: "Look" },
          { type: "file", mediaType: "image/png", url: "DATA:image/png;base64,AA==", name: "a.png" },
          {
            type: "file",
            mediaType: "text/plain",
            url: "https://a.example/b",
            providerReference: { openai: "f" },
          },
          { type: "data", name: "place", data: null, id: "1" },
        ],
      },
      {
        role: "assistant",
        content: "",
        parts: [
          { type: "reasoning", text: "", providerMetadata },
          ...["running", "awaiting-approval", "awaiting-client"].map((state) => ({ ...call, state })),
          { ...call, state: "done", content: [1], structuredContent: {}, providerMetadata },
          ...["error", "denied", "interrupted"].map((state) => ({ ...call, state, errorMessage: "No." })),
        ],
      },
      { role: "system", content: "Be brief.", parts: [{ type: "text", text: "Be brief." }] },
    ],
    resumes: [
      { requestId: "q1", resumeToken: "t", answer: "edit", input: { a: 1 }, reason: "r" },
      { requestId: "q2", resumeToken: "t", outcome: "answered", answer: { city: "Rome" } },
      { requestId: "q3", resumeToken: "t", outcome: "cancelled" },
    ],
    toolResults: [
      { toolCallId: "1", tool: "locate", resumeToken: "t", content: null },
      { toolCallId: "2", tool: "locate", errorMessage: "No." },
    ],
    tools: [{ name: "locate", description: "", inputSchema: { type: "object" } }],
    trigger: "continue",
    messageId: " m ",
  };
  expect(parseChatRequestBody(body)).toEqual({ ...body, messageId: "m", resume: body.resumes[0] });
});

describe("the URL of a file", () => {
  const withFile = (role: string, url: string) => ({
    messages: [
      {
        role,
        content: "",
        parts: [
          { type: "text", text: "" },
          { type: "file", mediaType: "a/b", url },
        ],
      },
    ],
  });
  const refused = [
    "http://169.254.169.254/latest/meta-data",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "blob:https://a.example/1",
    "/uploads/1",
    "//a.example/1",
    "",
    " https://a.example/",
    "ht\ntps://a.example/",
    "\u0000data:,",
    "https",
  ];

  test.each(refused)("is https: or data: by default, and not %j", (url) => {
    expect(issuesOf(withFile("user", url))).toEqual([
      expect.stringMatching(
        /^messages\.0\.parts\.1\.url must be a URL that begins with https: or data:, got an? /,
      ),
    ]);
  });

  test("leaves a file out of an answer, because the agent may have sent it", () => {
    for (const url of refused) {
      const { messages: read } = parseChatRequestBody(withFile("assistant", url));
      expect(read[0]!.parts).toEqual([{ type: "text", text: "" }]);
    }
    expect(parseChatRequestBody(withFile("assistant", "https://a.example/"))).toEqual(
      withFile("assistant", "https://a.example/"),
    );
  });

  test("may have the schemes that the route admits, and no others", () => {
    const fileUrlSchemes = ["gs:", "http:"];
    for (const url of ["GS://bucket/a", "http://localhost:9000/a"]) {
      expect(parseChatRequestBody(withFile("user", url), { fileUrlSchemes })).toEqual(withFile("user", url));
    }
    expect(() => parseChatRequestBody(withFile("user", "https://a.example"), { fileUrlSchemes })).toThrow(
      "messages.0.parts.1.url must be a URL that begins with gs: or http:, got a string of 17 characters",
    );
  });
});

/** Nested `depth` levels deep, as text. */
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const message = (fields: object) => ({ messages: [{ role: "user", content: "x", ...fields }] });
const resume = (fields: object) => ({
  messages,
  resume: { requestId: "r", resumeToken: "t", answer: "a", ...fields },
});

/** Invalid bodies of all kinds, each with its complete list of issues. */
const badBodies: [body: unknown, issues: string[]][] = [
  [undefined, ["the body must be an object, got nothing"]],
  [null, ["the body must be an object, got null"]],
  [true, ["the body must be an object, got a boolean"]],
  [7, ["the body must be an object, got a number"]],
  ["", ["the body must be an object, got an empty string"]],
  ["{}", ["the body must be an object, got a string of 2 characters"]],
  [[], ["the body must be an object, got an array"]],
  [{}, ["messages must be an array, got nothing"]],
  [{ Messages: [] }, ["messages must be an array, got nothing"]],
  [{ messages: null }, ["messages must be an array, got null"]],
  [{ messages: {} }, ["messages must be an array, got an object"]],
  [{ messages: "Hi" }, ["messages must be an array, got a string of 2 characters"]],
  [{ messages: 1 }, ["messages must be an array, got a number"]],
  [{ messages: [null] }, ["messages.0 must be an object, got null"]],
  [{ messages: ["Hi"] }, ["messages.0 must be an object, got a string of 2 characters"]],
  [{ messages: [[]] }, ["messages.0 must be an object, got an array"]],
  [{ messages: [...messages, 7] }, ["messages.1 must be an object, got a number"]],
  [
    { messages: [{}] },
    [
      'messages.0.role must be one of "user", "assistant", "system", got nothing',
      "messages.0.content must be a string, got nothing",
    ],
  ],
  [
    message({ role: "tool" }),
    ['messages.0.role must be one of "user", "assistant", "system", got a string of 4 characters'],
  ],
  [
    message({ role: "User" }),
    ['messages.0.role must be one of "user", "assistant", "system", got a string of 4 characters'],
  ],
  [
    message({ role: "" }),
    ['messages.0.role must be one of "user", "assistant", "system", got an empty string'],
  ],
  [message({ role: null }), ['messages.0.role must be one of "user", "assistant", "system", got null']],
  [
    message({ role: ["user"] }),
    ['messages.0.role must be one of "user", "assistant", "system", got an array'],
  ],
  [message({ content: null }), ["messages.0.content must be a string, got null"]],
  [message({ content: 7 }), ["messages.0.content must be a string, got a number"]],
  [
    message({ content: [{ type: "text", text: "x" }] }),
    ["messages.0.content must be a string, got an array"],
  ],
  [message({ content: { text: "x" } }), ["messages.0.content must be a string, got an object"]],
  [message({ id: 7 }), ["messages.0.id must be a string, got a number"]],
  [message({ timestamp: "now" }), ["messages.0.timestamp must be a number, got a string of 3 characters"]],
  [message({ timestamp: Number.NaN }), ["messages.0.timestamp must be a number, got NaN"]],
  [message({ metadata: "x" }), ["messages.0.metadata must be an object, got a string of 1 character"]],
  [message({ metadata: [] }), ["messages.0.metadata must be an object, got an array"]],
  [{ messages, sessionId: 7 }, ["sessionId must be a string, got a number"]],
  [{ messages, sessionId: ["s"] }, ["sessionId must be a string, got an array"]],
  [{ messages, workflowId: false }, ["workflowId must be a string, got a boolean"]],
  [{ messages, workflowId: {} }, ["workflowId must be a string, got an object"]],
  [{ messages, context: "x" }, ["context must be an object, got a string of 1 character"]],
  [{ messages, context: [] }, ["context must be an object, got an array"]],
  [{ messages, stream: "false" }, ["stream must be a boolean, got a string of 5 characters"]],
  [{ messages, stream: 0 }, ["stream must be a boolean, got a number"]],
  [
    {
      messages: [{ ...messages[0], id: "m".repeat(257) }],
      sessionId: "s".repeat(257),
      workflowId: `${"w".repeat(1_000)} `,
    },
    [
      "messages.0.id must be at most 256 characters, got a string of 257 characters",
      "sessionId must be at most 256 characters, got a string of 257 characters",
      "workflowId must be at most 256 characters, got a string of 1001 characters",
    ],
  ],
  [
    resume({ requestId: "r".repeat(257) }),
    ["resume.requestId must be at most 256 characters, got a string of 257 characters"],
  ],
  [
    { messages, idempotencyKey: "" },
    ["idempotencyKey must be 1 to 128 visible ASCII characters, got an empty string"],
  ],
  [
    { messages, idempotencyKey: "a b" },
    ["idempotencyKey must be 1 to 128 visible ASCII characters, got a string of 3 characters"],
  ],
  [
    { messages, idempotencyKey: "é" },
    ["idempotencyKey must be 1 to 128 visible ASCII characters, got a string of 1 character"],
  ],
  [
    { messages, idempotencyKey: "k".repeat(129) },
    ["idempotencyKey must be 1 to 128 visible ASCII characters, got a string of 129 characters"],
  ],
  [{ messages, idempotencyKey: 7 }, ["idempotencyKey must be a string, got a number"]],
  [{ messages, resume: "token" }, ["resume must be an object, got a string of 5 characters"]],
  [{ messages, resume: [] }, ["resume must be an object, got an array"]],
  [{ messages, stream: [] }, ["stream must be a boolean, got an array"]],
  [{ messages, idempotencyKey: {} }, ["idempotencyKey must be a string, got an object"]],
  [resume({ requestId: null }), ["resume.requestId must be a string, got null"]],
  [resume({ answer: null }), ["resume.answer must be a string or an array of strings, got null"]],
  [resume({ requestId: undefined }), ["resume.requestId must be a string, got nothing"]],
  [resume({ resumeToken: 7 }), ["resume.resumeToken must be a string, got a number"]],
  [resume({ answer: undefined }), ["resume.answer must be a string or an array of strings, got nothing"]],
  [resume({ answer: 7 }), ["resume.answer must be a string or an array of strings, got a number"]],
  [resume({ answer: ["a", 7] }), ["resume.answer must be a string or an array of strings, got an array"]],
  [
    resume({ outcome: "no" }),
    ['resume.outcome must be one of "answered", "cancelled", got a string of 2 characters'],
  ],
  [resume({ outcome: 7 }), ['resume.outcome must be one of "answered", "cancelled", got a number']],
  [resume({ outcome: "cancelled", reason: 7 }), ["resume.reason must be a string, got a number"]],
  [resume({ answer: { id: "a" } }), ["resume.answer must be a string or an array of strings, got an object"]],
  [message({ parts: {} }), ["messages.0.parts must be an array, got an object"]],
  [
    message({ parts: ["Hi", null] }),
    [
      "messages.0.parts.0 must be an object, got a string of 2 characters",
      "messages.0.parts.1 must be an object, got null",
    ],
  ],
  ...(
    [
      [{}, "nothing"],
      [{ type: "image" }, "a string of 5 characters"],
      [{ type: null }, "null"],
      [{ type: ["text"] }, "an array"],
    ] as const
  ).map(([part, received]): [unknown, string[]] => [
    message({ parts: [part] }),
    [
      `messages.0.parts.0.type must be one of "text", "reasoning", "file", "tool-call", "data", got ${received}`,
    ],
  ]),
  [message({ parts: [{ type: "text" }] }), ["messages.0.parts.0.text must be a string, got nothing"]],
  [
    message({ parts: [{ type: "file", name: 1, providerReference: { a: 1 } }] }),
    [
      "messages.0.parts.0.mediaType must be a string, got nothing",
      "messages.0.parts.0.url must be a string, got nothing",
      "messages.0.parts.0.name must be a string, got a number",
      "messages.0.parts.0.providerReference must be an object of strings, got an object",
    ],
  ],
  [
    message({ parts: [{ type: "file", mediaType: "a/b", url: "data:,", providerReference: ["a"] }] }),
    ["messages.0.parts.0.providerReference must be an object of strings, got an array"],
  ],
  [
    message({ parts: [{ type: "data" }] }),
    [
      "messages.0.parts.0.name must be a string, got nothing",
      "messages.0.parts.0.data must be a JSON value, got nothing",
    ],
  ],
  [
    {
      messages: [
        {
          role: "assistant",
          content: "",
          parts: [
            {
              type: "tool-call",
              toolCallId: "1".repeat(257),
              state: "input-streaming",
              errorMessage: {},
              providerMetadata: [],
            },
            { type: "reasoning", text: 1, providerMetadata: "x" },
          ],
        },
      ],
    },
    [
      "messages.0.parts.0.toolCallId must be at most 256 characters, got a string of 257 characters",
      "messages.0.parts.0.tool must be a string, got nothing",
      'messages.0.parts.0.state must be one of "running", "awaiting-approval", "awaiting-client", "done", "error", "denied", "interrupted", got a string of 15 characters',
      "messages.0.parts.0.errorMessage must be a string, got an object",
      "messages.0.parts.0.providerMetadata must be an object, got an array",
      "messages.0.parts.1.text must be a string, got a number",
      "messages.0.parts.1.providerMetadata must be an object, got a string of 1 character",
    ],
  ],
  [
    message({
      parts: [
        { type: "text", text: "" },
        { type: "tool-call", toolCallId: "1", tool: "pay", state: "done" },
        { type: "reasoning", text: "" },
      ],
    }),
    [
      'messages.0.parts.1.type must be one of "text", "file", "data" in a message of role "user", got a string of 9 characters',
      'messages.0.parts.2.type must be one of "text", "file", "data" in a message of role "user", got a string of 9 characters',
    ],
  ],
  [
    message({ role: "system", parts: [{ type: "data", name: "a", data: 1 }] }),
    [
      'messages.0.parts.0.type must be one of "text" in a message of role "system", got a string of 4 characters',
    ],
  ],
  [
    message({ metadata: { resume: { token: "t", requestId: "r".repeat(257), selected: ["a"] } } }),
    ["messages.0.metadata.resume.requestId must be at most 256 characters, got a string of 257 characters"],
  ],
  [{ messages, resumes: {} }, ["resumes must be an array, got an object"]],
  [
    { messages, resumes: [7, {}] },
    [
      "resumes.0 must be an object, got a number",
      "resumes.1.requestId must be a string, got nothing",
      "resumes.1.resumeToken must be a string, got nothing",
    ],
  ],
  [
    {
      messages,
      resumes: [
        { requestId: "r".repeat(257), resumeToken: null, outcome: "maybe", reason: 7 },
        { requestId: "a", resumeToken: "t" },
      ],
    },
    [
      "resumes.0.requestId must be at most 256 characters, got a string of 257 characters",
      "resumes.0.resumeToken must be a string, got null",
      "resumes.0.reason must be a string, got a number",
      'resumes.0.outcome must be one of "answered", "cancelled", got a string of 5 characters',
      'resumes.1.answer must be a JSON value unless outcome is "cancelled", got nothing',
    ],
  ],
  [
    {
      messages,
      resumes: ["approve", "deny"].map((answer) => ({ requestId: "a", resumeToken: "t", answer })),
    },
    ["resumes.1.requestId must be different from those before it, got a string of 1 character"],
  ],
  [
    {
      messages,
      toolResults: [
        { toolCallId: "1", tool: "a" },
        { toolCallId: "1", tool: "b" },
      ],
    },
    ["toolResults.1.toolCallId must be different from those before it, got a string of 1 character"],
  ],
  [
    { messages, toolResults: [{ toolCallId: 1, resumeToken: 1, errorMessage: 1 }] },
    [
      "toolResults.0.toolCallId must be a string, got a number",
      "toolResults.0.tool must be a string, got nothing",
      "toolResults.0.resumeToken must be a string, got a number",
      "toolResults.0.errorMessage must be a string, got a number",
    ],
  ],
  [
    { messages, tools: [{ name: "" }, { name: "t".repeat(257), description: "", inputSchema: [] }] },
    [
      "tools.0.name must be 1 to 256 characters, got an empty string",
      "tools.0.description must be a string, got nothing",
      "tools.1.name must be 1 to 256 characters, got a string of 257 characters",
      "tools.1.inputSchema must be an object, got an array",
    ],
  ],
  [
    {
      messages,
      tools: [
        { name: "a", description: "" },
        { name: "a", description: "" },
      ],
    },
    ["tools.1.name must be different from those before it, got a string of 1 character"],
  ],
  [
    { messages, trigger: "retry" },
    ['trigger must be one of "send", "regenerate", "continue", got a string of 5 characters'],
  ],
  [{ messages, messageId: 7 }, ["messageId must be a string, got a number"]],
  [
    { messages, messageId: "m".repeat(257) },
    ["messageId must be at most 256 characters, got a string of 257 characters"],
  ],
  [
    { messages: Array(1001).fill(messages[0]) },
    ["messages must be an array of at most 1000 messages, got an array of 1001 items"],
  ],
  [{ messages, extra: JSON.parse(nested(64)) }, ["the body must be nested at most 64 levels deep, got more"]],
  [JSON.parse(nested(65)), ["the body must be nested at most 64 levels deep, got more"]],
  [
    { messages: [{ role: 1 }, { content: "x" }], sessionId: {}, stream: 1 },
    [
      'messages.0.role must be one of "user", "assistant", "system", got a number',
      "messages.0.content must be a string, got nothing",
      'messages.1.role must be one of "user", "assistant", "system", got nothing',
      "sessionId must be a string, got an object",
      "stream must be a boolean, got a number",
    ],
  ],
];

describe("an invalid body", () => {
  for (const [index, [body, expected]] of badBodies.entries()) {
    test(`${index + 1}: ${expected.join("; ")}`, () => expect(issuesOf(body)).toEqual(expected));
  }

  test("is never quoted in the issues", () => {
    expect(JSON.stringify(issuesOf({ messages: "sk-secret", sessionId: ["sk-secret"] }))).not.toContain(
      "sk-secret",
    );
  });
});

describe("limits", () => {
  test("allow 1000 messages and 64 levels by default, and both can be set", () => {
    expect(issuesOf({ messages: Array(1000).fill(messages[0]) })).toEqual([]);
    expect(issuesOf({ messages, extra: JSON.parse(nested(63)) })).toEqual([]);
    expect(() => parseChatRequestBody({ messages: [...messages, ...messages] }, { maxMessages: 1 })).toThrow(
      "an array of at most 1 messages",
    );
    expect(() => parseChatRequestBody({ messages, extra: [[]] }, { maxDepth: 2 })).toThrow(
      "at most 2 levels",
    );
  });

  test("allow 10,000 parts, answers, results and tools together by default", () => {
    const part = { type: "text", text: "" };
    const tools = Array.from({ length: 3 }, (_, index) => ({ name: `${index}`, description: "" }));
    const toolResults = tools.map(({ name }) => ({ toolCallId: name, tool: name }));
    const resumes = tools.map(({ name }) => ({ requestId: name, resumeToken: "t", answer: "a" }));
    const body = (parts: number) => ({
      messages: [parts, 0, 1].map((length) => ({ ...messages[0], parts: Array(length).fill(part) })),
      tools,
      toolResults,
      resumes,
    });
    expect(issuesOf(body(9_990))).toEqual([]);
    expect(issuesOf(body(9_991))).toEqual([
      "the body must be one of at most 10000 parts, resumes, toolResults and tools together, got 10001",
    ]);
    expect(() => parseChatRequestBody(body(0), { maxItems: 9 })).toThrow("at most 9 parts");
    expect(parseChatRequestBody(body(0), { maxItems: 10 })).toMatchObject({ tools });
  });

  test("keep the issues of a body with very many invalid fields to 100, and its message short", () => {
    const error = (() => {
      try {
        return parseChatRequestBody({ messages: Array(1000).fill(0) });
      } catch (thrown) {
        return thrown as ChatRequestError;
      }
    })() as ChatRequestError;
    expect(error.issues).toHaveLength(100);
    expect(issuesOf({ messages: Array(10).fill(0) })).toHaveLength(10);
    expect(error.message).toMatch(/messages\.9 must be an object, got a number; and 990 more\.$/);
  });

  test("refuse a value nested 500,000 levels deep without a stack overflow", () => {
    let value: unknown = [];
    for (let depth = 0; depth < 500_000; depth++) value = [value];
    expect(issuesOf({ messages, context: { value } })).toEqual([
      "the body must be nested at most 64 levels deep, got more",
    ]);
  });
});

describe("readChatRequest", () => {
  const request = (
    body: BodyInit | null,
    headers: Record<string, string> = { "content-type": "application/json" },
  ) => new Request("http://host/", { method: "POST", body, headers, duplex: "half" } as RequestInit);
  const refusal = async (given: Request, limits = {}) => {
    const error = await readChatRequest(given, limits).then(
      () => expect.fail("was not refused"),
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(ChatRequestError);
    return [error.status, error.code, error.message];
  };
  const good = JSON.stringify({ messages });

  test("reads a body declared as JSON, with parameters and suffixes", async () => {
    for (const contentType of [
      "application/json",
      "Application/JSON; charset=utf-8",
      "application/vnd.api+json",
      "application/json\t; charset=utf-8",
      "application/json, application/json; charset=utf-8",
      "text/html, application/json",
      "application/json, nonsense",
    ]) {
      expect(await readChatRequest(request(good, { "content-type": contentType }))).toEqual({ messages });
    }
  });

  test("refuses every other content type with 415", async () => {
    const words = "Invalid chat request: the content type must be application/json, got";
    for (const contentType of [
      "text/plain",
      "multipart/form-data; boundary=x",
      "application/jsonp",
      "application/json, text/html",
      "nonsense",
      // Browsers send these to other origins without a preflight.
      "text/plain;,application/json",
      "TEXT/plain ; a=b, application/json",
      "multipart/form-data;,application/json",
      "application/x-www-form-urlencoded;,application/json",
    ]) {
      expect(await refusal(request(good, { "content-type": contentType }))).toEqual([
        415,
        "unsupported-media-type",
        `${words} "${contentType}".`,
      ]);
    }
    expect(
      await refusal(new Request("http://host/", { method: "POST", body: new Uint8Array([123, 125]) })),
    ).toEqual([415, "unsupported-media-type", `${words} none.`]);
  });

  test("refuses a body that is not JSON, not UTF-8 or missing with 400", async () => {
    const notJSON = [400, "invalid-json", "Invalid chat request: the body is not JSON."];
    expect(await refusal(request("{oops"))).toEqual(notJSON);
    expect(await refusal(request(""))).toEqual(notJSON);
    expect(await refusal(request(null))).toEqual(notJSON);
    const notUTF8 = [400, "invalid-json", "Invalid chat request: the body is not UTF-8."];
    expect(await refusal(request(new Uint8Array([34, 0xff, 34])))).toEqual(notUTF8);
    expect(await refusal(request(new Uint8Array([34, 0xe8, 0xaa])))).toEqual(notUTF8);
  });

  test("refuses JSON that is not a chat request, listing its issues", async () => {
    expect(await refusal(request("[]"))).toEqual([
      400,
      "invalid-request",
      "Invalid chat request: the body must be an object, got an array.",
    ]);
  });

  test("refuses a body of 500,000 nested arrays with 400", async () => {
    expect((await refusal(request(nested(500_000)))).slice(0, 2)).toEqual([400, "invalid-request"]);
  });

  test("refuses a declared length beyond the limit without reading", async () => {
    const pull = vi.fn();
    const body = new ReadableStream({ pull }, { highWaterMark: 0 });
    const given = request(body, { "content-type": "application/json", "content-length": "1048577" });
    expect((await refusal(given))[0]).toBe(413);
    expect(pull).not.toHaveBeenCalled();
  });

  test("stops reading an endless body at the limit, and cancels it", async () => {
    let pulled = 0;
    const cancel = vi.fn();
    const kilobyte = new TextEncoder().encode(" ".repeat(1024));
    const body = new ReadableStream(
      {
        pull: (controller) => {
          pulled++;
          controller.enqueue(kilobyte);
        },
        cancel,
      },
      { highWaterMark: 0 },
    );
    expect(await refusal(request(body))).toEqual([
      413,
      "body-too-large",
      "Invalid chat request: the body is larger than 1048576 bytes.",
    ]);
    expect(pulled).toBeLessThanOrEqual(1030);
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  test("decodes a character that arrives in pieces", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ messages: [{ role: "user", content: "語" }] }));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
    expect((await readChatRequest(request(body))).messages[0]?.content).toBe("語");
  });

  test("cancels a body that is refused unread", async () => {
    const json = { "content-type": "application/json" };
    for (const headers of [{ "content-type": "text/plain" }, { ...json, "content-length": "1048577" }]) {
      const cancel = vi.fn();
      await refusal(request(new ReadableStream({ cancel }, { highWaterMark: 0 }), headers));
      expect(cancel).toHaveBeenCalledTimes(1);
    }
  });

  test.each<[string, (given: Request) => unknown]>([
    ["json() was called", (given) => given.json()],
    ["a reader holds it", (given) => void given.body!.getReader()],
    ["it was partly read", (given) => readSome(given)],
    ["it is being read", (given) => void given.text()],
  ])(
    "treats a body that was read before (%s) as a server bug: 500, and the log explains what to do",
    async (_, read) => {
      const log = vi.spyOn(console, "error").mockImplementation(() => {});
      const given = request(good);
      await read(given);
      expect(await refusal(given)).toEqual([
        500,
        "body-already-read",
        "Cannot read the chat request: its body was read before.",
      ]);
      expect(log.mock.calls).toEqual([[expect.stringMatching(/was read before.*request\.clone\(\)/)]]);
      log.mockRestore();
    },
  );

  async function readSome(given: Request): Promise<void> {
    const reader = given.body!.getReader();
    await reader.read();
    reader.releaseLock();
  }

  test("reads the requests that the log recommends: a clone, and one that received its body again", async () => {
    const cloned = request(good);
    await cloned.clone().json();
    expect(await readChatRequest(cloned)).toEqual({ messages });
    const used = request(good);
    const body = await used.json();
    expect(await readChatRequest(new Request(used, { body: JSON.stringify(body) }))).toEqual({ messages });
  });

  test("refuses the request of a client that leaves during its upload with 400, and logs nothing", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const left = new AbortController();
    const cut = (error: Error) =>
      new ReadableStream({
        pull(controller) {
          left.abort();
          controller.error(error);
        },
      });
    const signalled = new Request(request(cut(new Error("aborted"))), { signal: left.signal });
    const unsignalled = request(cut(new DOMException("aborted", "AbortError")));
    for (const given of [signalled, unsignalled]) {
      expect((await refusal(given)).slice(0, 2)).toEqual([400, "incomplete-body"]);
    }
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  test("does not blame the client if a body fails for any other reason", async () => {
    const failure = new Error("The inflater is broken.");
    const body = new ReadableStream({ pull: (controller) => controller.error(failure) });
    await expect(readChatRequest(request(body))).rejects.toBe(failure);
  });

  test("quotes only the start of a content type", async () => {
    const [, , message] = await refusal(request("{}", { "content-type": `text/${"x".repeat(1000)}` }));
    expect(message.length).toBeLessThan(250);
  });

  test("limits the body in bytes, and accepts a body of exactly the limit", async () => {
    const text = JSON.stringify({ messages: [{ role: "user", content: "語" }] });
    const bytes = new TextEncoder().encode(text).length;
    expect(await readChatRequest(request(text), { maxBodyBytes: bytes })).toBeDefined();
    const declared = { "content-type": "application/json", "content-length": String(bytes) };
    expect(await readChatRequest(request(text, declared), { maxBodyBytes: bytes })).toBeDefined();
    expect((await refusal(request(text), { maxBodyBytes: bytes - 1 }))[0]).toBe(413);
  });
});
