import { describe, expect, test, vi } from "vitest";
import { ChatRequestError } from "../../src/route/chat-request-error.ts";
import { parseChatRequestBody, readChatRequest } from "../../src/route/read-chat-request.ts";
import { issuesOf, messages, nested } from "./request-issues.ts";

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

test("a part of a type that this version does not know is kept as it is, in a message of any role", () => {
  const parts = [{ type: "audio", seconds: null }, { type: "" }, { type: "constructor" }];
  const body = { messages: ["user", "assistant", "system"].map((role) => ({ role, content: "", parts })) };
  expect(parseChatRequestBody(body)).toEqual(body);
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
          { type: "step", stepId: "1", name: "Search" },
          { type: "reasoning", text: "", providerMetadata },
          { type: "text", text: "", providerMetadata },
          { type: "file", mediaType: "image/png", url: "data:,", providerMetadata },
          { type: "data", name: "a", data: 1, providerMetadata },
          ...["running", "awaiting-approval", "awaiting-client"].map((state) => ({ ...call, state })),
          { ...call, state: "done", content: [1], structuredContent: {}, providerMetadata },
          {
            ...call,
            state: "done",
            executor: "provider",
            inputFormat: "text",
            isDynamic: true,
            resultProviderMetadata: providerMetadata,
          },
          ...["error", "denied", "interrupted"].map((state) => ({ ...call, state, errorMessage: "No." })),
        ],
      },
      { role: "system", content: "Be brief.", parts: [{ type: "text", text: "Be brief." }] },
    ],
    resumes: [
      { requestId: "q1", resumeToken: "t", toolCallId: "1", answer: "edit", input: { a: 1 }, reason: "r" },
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
      "Your message is too large, together with its files and the conversation.",
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
