import { describe, expect, test } from "vitest";
import { issuesOf, messages, nested } from "./request-issues.ts";

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
      [{ type: null }, "null"],
      [{ type: ["text"] }, "an array"],
    ] as const
  ).map(([part, received]): [unknown, string[]] => [
    message({ parts: [part] }),
    [`messages.0.parts.0.type must be a string, got ${received}`],
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
              toolCallId: 1,
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
      "messages.0.parts.0.toolCallId must be a string, got a number",
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
  [
    {
      messages: [
        {
          role: "assistant",
          content: "",
          parts: [
            { type: "step", name: 1 },
            { type: "text", text: "", providerMetadata: 1 },
            { type: "file", mediaType: "a/b", url: "data:,", providerMetadata: 1 },
            { type: "data", name: "a", data: 1, id: 1, providerMetadata: 1 },
            {
              type: "tool-call",
              toolCallId: "1",
              tool: "a",
              state: "done",
              executor: 1,
              inputFormat: 1,
              isDynamic: 1,
              resultProviderMetadata: 1,
            },
          ],
        },
      ],
    },
    [
      "messages.0.parts.0.stepId must be a string, got nothing",
      "messages.0.parts.0.name must be a string, got a number",
      "messages.0.parts.1.providerMetadata must be an object, got a number",
      "messages.0.parts.2.providerMetadata must be an object, got a number",
      "messages.0.parts.3.id must be a string, got a number",
      "messages.0.parts.3.providerMetadata must be an object, got a number",
      "messages.0.parts.4.executor must be a string, got a number",
      "messages.0.parts.4.inputFormat must be a string, got a number",
      "messages.0.parts.4.isDynamic must be a boolean, got a number",
      "messages.0.parts.4.resultProviderMetadata must be an object, got a number",
    ],
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
        { requestId: "r".repeat(257), resumeToken: null, toolCallId: 7, outcome: "maybe", reason: 7 },
        { requestId: "a", resumeToken: "t" },
      ],
    },
    [
      "resumes.0.requestId must be at most 256 characters, got a string of 257 characters",
      "resumes.0.resumeToken must be a string, got null",
      "resumes.0.reason must be a string, got a number",
      "resumes.0.toolCallId must be a string, got a number",
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
