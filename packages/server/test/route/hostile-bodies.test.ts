/** Bodies that no client of ours sends: any JSON, and bodies that are valid except for one place. */
import type { ChatRequestBody } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toAgentOptions } from "../../src/route/chat-agent.ts";
import { ChatRequestError } from "../../src/route/chat-request-error.ts";
import { parseChatRequestBody } from "../../src/route/read-chat-request.ts";

/** A body that has every field of the contract. */
const whole = {
  messages: [
    { role: "system", content: "Be brief.", parts: [{ type: "text", text: "Be brief." }] },
    {
      role: "user",
      content: "Look",
      parts: [
        {
          type: "file",
          mediaType: "image/png",
          url: "data:,",
          name: "a",
          providerReference: { openai: "f" },
        },
        { type: "data", name: "place", data: { a: 1 }, id: "1" },
      ],
    },
    {
      role: "assistant",
      content: "",
      parts: [
        { type: "reasoning", text: "", providerMetadata: { anthropic: { signature: "s" } } },
        { type: "file", mediaType: "image/png", url: "https://a.example/b" },
        {
          type: "tool-call",
          toolCallId: "1",
          tool: "pay",
          state: "done",
          input: {},
          content: [1],
          structuredContent: {},
          errorMessage: "No.",
          providerMetadata: {},
        },
      ],
    },
    {
      role: "user",
      content: "Apples",
      id: "m",
      timestamp: 1,
      metadata: { resume: { token: "t", requestId: "q", selected: ["a"] } },
    },
  ],
  sessionId: "s",
  workflowId: "w",
  context: { a: 1 },
  stream: true,
  idempotencyKey: "k",
  resume: { requestId: "q", resumeToken: "t", answer: ["a"] },
  resumes: [
    { requestId: "q", resumeToken: "t", answer: { a: 1 }, input: {}, reason: "r" },
    { requestId: "q2", resumeToken: "t", outcome: "cancelled" },
  ],
  toolResults: [{ toolCallId: "1", tool: "locate", resumeToken: "t", content: 1, errorMessage: "No." }],
  tools: [{ name: "locate", description: "", inputSchema: { type: "object" } }],
  trigger: "continue",
  messageId: "m",
};

type Keys = [key: string, ...more: string[]];

/** The paths of all values within a value. */
const pathsOf = (value: unknown): Keys[] =>
  Object.entries(value ?? {}).flatMap(([key, item]) => [
    [key],
    ...(typeof item === "object" ? pathsOf(item).map((path): Keys => [key, ...path]) : []),
  ]);
const paths = pathsOf(whole);
const valueAt = (path: string[], body: unknown) =>
  path.reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], body);

const hostileTexts = fc.constantFrom(
  "",
  "\ud800",
  "\0",
  "__proto__",
  "constructor",
  "x".repeat(257),
  "javascript:",
);
const anyJSON = fc
  .oneof(
    hostileTexts,
    fc.string({ unit: "binary" }),
    fc.constantFrom(...paths).map((path) => valueAt(path, whole)),
    fc.jsonValue(),
    fc.constant(JSON.parse('{"__proto__":{"role":"system","isAdmin":true},"constructor":1}')),
  )
  .map((value): unknown => JSON.parse(JSON.stringify(value)));
const changes = fc.array(fc.tuple(fc.constantFrom(...paths), fc.option(anyJSON, { nil: undefined })), {
  maxLength: 4,
});
/** The whole body with a few other values; undefined leaves a value out. */
const damaged = changes.map((all) => {
  const body = structuredClone(whole);
  for (const [path, value] of all) {
    const parent = valueAt(path.slice(0, -1), body);
    if (typeof parent === "object" && parent !== null) Reflect.set(parent, path.at(-1)!, value);
  }
  return body;
});

/** What an agent can rely on, whatever the client sent. */
function expectSound(body: ChatRequestBody): void {
  const { messages, resume, resumes = [], toolResults = [], tools = [] } = body;
  for (const { role, content, parts = [] } of messages) {
    expect(typeof content).toBe("string");
    for (const part of parts) {
      expect(Object.getPrototypeOf(part)).toBe(Object.prototype);
      if (role !== "assistant") expect(["tool-call", "reasoning"]).not.toContain(part.type);
      if (part.type === "file" && part.url !== "") expect(part.url).toMatch(/^(https|data):/i);
    }
  }
  for (const ids of [
    resumes.map(({ requestId }) => requestId),
    toolResults.map(({ toolCallId }) => toolCallId),
    tools.map(({ name }) => name),
  ]) {
    expect(new Set(ids).size).toBe(ids.length);
  }
  for (const { requestId } of resumes) expect(requestId.length).toBeLessThanOrEqual(256);
  if (resume !== undefined) expect(resumes).toContainEqual(resume);
}

describe("any JSON", () => {
  test("is a body that an agent can rely on, or a ChatRequestError that lists wrong fields", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof({ arbitrary: damaged, weight: 9 }, anyJSON), (value) => {
        const text = JSON.stringify(value);
        let body: ChatRequestBody;
        try {
          body = parseChatRequestBody(JSON.parse(text));
        } catch (error) {
          expect(error).toBeInstanceOf(ChatRequestError);
          const { code, issues } = error as ChatRequestError;
          expect([code, issues.length > 0]).toEqual(["invalid-request", true]);
          for (const { path, expected } of issues)
            expect([path, expected]).toEqual([expect.any(String), expect.stringMatching(/./)]);
          return;
        }
        accepted++;
        expectSound(body);
        // A body that was accepted once is accepted in every process that reads it.
        expect(parseChatRequestBody(JSON.parse(JSON.stringify(body)))).toEqual(body);
        const options = toAgentOptions(body, { owner: "ann", signal: new AbortController().signal });
        expect([options.owner, "isAdmin" in options, "isAdmin" in options.body]).toEqual([
          "ann",
          false,
          false,
        ]);
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });
});

describe("a body that is cheap to send", () => {
  const issuesOf = (body: unknown) => {
    try {
      parseChatRequestBody(body);
    } catch (error) {
      return (error as ChatRequestError).issues;
    }
    return expect.fail("was not refused");
  };
  const fileWith = (fields: object) => ({ type: "file", mediaType: "a/b", url: "data:,", ...fields });
  const withParts = (parts: unknown[]) => ({ messages: [{ role: "user", content: "", parts }] });
  const many = <Item>(item: Item): Item[] => Array(300_000).fill(item);

  // An issue costs a thousand times as much as the two characters that cause it.
  test.each<[string, unknown, string]>([
    ["parts", withParts(many(0)), ""],
    ["answers", { messages: [], resumes: many({}) }, ""],
    ["results of tools", { messages: [], toolResults: many({}) }, ""],
    ["tools", { messages: [], tools: many({}) }, ""],
    [
      "ids of options",
      { messages: [], resume: { requestId: "q", resumeToken: "t", answer: many(0) } },
      "resume.answer",
    ],
    [
      "handles of uploads",
      withParts([fileWith({ providerReference: { ...many(0) } })]),
      "messages.0.parts.0.providerReference",
    ],
  ])("has one issue for all of its wrong %s", (_, body, path) => {
    expect(issuesOf(body).map((issue) => issue.path)).toEqual([path]);
  });
});
