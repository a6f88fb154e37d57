import { describe, expect, test, vi } from "vitest";
import { createChat, createChatState } from "../../src/chat/create-chat.ts";
import { requestChat } from "../../src/route/request-chat.ts";
import { streamChatFromRoute, streamFromRoute } from "../../src/route/stream-from-route.ts";
import { readStream } from "../../src/stream/read-stream.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import { greeting } from "../stream/bodies.ts";

/** Options that do not compile, and the error for each. */
const wrongOfStreams: [options: object, error: Error][] = [
  [{}, new TypeError("endpoint must be a URL, or a function that returns one; got undefined.")],
  [{ endpoint: 7 }, new TypeError("endpoint must be a URL, or a function that returns one; got 7.")],
  [{ endpoint: "/", fetch: "fetch" }, new TypeError('fetch must be a function; got "fetch".')],
  [{ endpoint: "/", signal: {} }, new TypeError("signal must be an AbortSignal; got an object.")],
  [
    { endpoint: "/", onConnectionChange: {} },
    new TypeError("onConnectionChange must be a function; got an object."),
  ],
  [{ endpoint: "/", onUnknownChunk: 1 }, new TypeError("onUnknownChunk must be a function; got 1.")],
  [
    { endpoint: "/", maxEventBytes: "8 MiB" },
    new RangeError('maxEventBytes must be a number, 0 or more; got "8 MiB".'),
  ],
  [
    { endpoint: "/", maxEventBytes: Number.NaN },
    new RangeError("maxEventBytes must be a number, 0 or more; got NaN."),
  ],
  [
    { endpoint: "/", idleTimeoutMs: -1 },
    new RangeError("idleTimeoutMs must be a number of milliseconds, 0 or more; got -1."),
  ],
  [
    { endpoint: "/", connectTimeoutMs: "30s" },
    new RangeError('connectTimeoutMs must be a number of milliseconds, 0 or more; got "30s".'),
  ],
];

const wrongOfChats: [options: unknown, error: Error][] = [
  ...wrongOfStreams.filter(([options]) => !("signal" in options)),
  [
    undefined,
    new TypeError("The options of a chat must be an object with an endpoint or a transport; got undefined."),
  ],
  [
    "/api/chat",
    new TypeError(
      'The options of a chat must be an object with an endpoint or a transport; got "/api/chat".',
    ),
  ],
  [{ transport: {} }, new TypeError("transport must be an object with a start() method; got an object.")],
  [
    { transport: { start() {} }, onConnectionChange: 1 },
    new TypeError("onConnectionChange must be a function; got 1."),
  ],
  [{ endpoint: "/", history: "part" }, new TypeError('history must be "text" or "parts"; got "part".')],
  [{ endpoint: "/", sessionId: 7 }, new TypeError("sessionId must be a string; got 7.")],
  [
    { endpoint: "/", initialMessages: { length: 0 } },
    new TypeError("initialMessages must be an array of messages; got an object."),
  ],
  [
    { endpoint: "/", initialMessages: Promise.resolve([]) },
    new TypeError("initialMessages must be an array of messages; got a promise."),
  ],
  ...["selectMessages", "onChunk", "onFinish"].map((name): [object, Error] => [
    { endpoint: "/", [name]: true },
    new TypeError(`${name} must be a function; got true.`),
  ]),
];

describe("an invalid option is refused when a chat is created:", () => {
  test.each(wrongOfChats)("%j", (options, error) => {
    expect(() => createChat(options as never)).toThrow(error);
    expect(() => createChat(() => options as never)).toThrow(error);
  });
});

describe("an invalid option is refused by the call that opens a stream:", () => {
  test.each(wrongOfStreams)("%j", (options, error) => {
    expect(() => streamFromRoute(options as never)).toThrow(error);
    expect(() => streamChatFromRoute({ messages: [], ...options } as never)).toThrow(error);
  });
});

test("every function with required options explains when they are missing", async () => {
  const messageOf = (name: string, got: string) =>
    `The options of ${name} must be an object with an endpoint; got ${got}.`;
  for (const [options, got] of [
    [undefined, "undefined"],
    [null, "null"],
    ["/api/chat", '"/api/chat"'],
  ] as const) {
    expect(() => streamFromRoute(options as never)).toThrow(new TypeError(messageOf("streamFromRoute", got)));
    expect(() => streamChatFromRoute(options as never)).toThrow(
      new TypeError(messageOf("streamChatFromRoute", got)),
    );
    await expect(requestChat(options as never)).rejects.toThrow(new TypeError(messageOf("requestChat", got)));
  }
});

test("requestChat and readStream refuse invalid options", async () => {
  await expect(requestChat({ messages: [] } as never)).rejects.toThrow("endpoint must be a URL");
  expect(() => readStream(null, { maxEventBytes: Number.NaN })).toThrow(RangeError);
  expect(() => readStream(null, { signal: new Request("http://host/") as never })).toThrow(
    "signal must be an AbortSignal; got an object.",
  );
});

test("every valid endpoint is accepted, and nothing is requested", () => {
  const { calls, fetch } = createScriptedFetch(greeting);
  for (const endpoint of ["", "/api/chat", new URL("http://host/"), () => "/", async () => "/"]) {
    createChat({ endpoint, fetch });
  }
  createChat({ transport: { start: vi.fn() } });
  createChat({ endpoint: "/", tools: { locate: undefined } });
  createChat({ endpoint: "/", initialMessages: null, sessionId: null } as never);
  expect(calls).toHaveLength(0);
});

test("initial messages that arrive after the chat was created are checked, too", () => {
  let initialMessages: unknown;
  const { chat, takeHistory } = createChatState(() => ({ endpoint: "/", initialMessages }) as never);
  takeHistory();
  // The JSON of a refusal, of which the page has not read the status.
  initialMessages = { error: "Please sign in.", code: "unauthorized" };
  expect(takeHistory).toThrow(new TypeError("initialMessages must be an array of messages; got an object."));
  initialMessages = [{ role: "user", id: "u1", content: "Hello" }];
  takeHistory();
  expect(chat.getSnapshot().messages).toHaveLength(1);
  // Those of a chat that has begun are not used any more.
  initialMessages = { error: "Please sign in.", code: "unauthorized" };
  takeHistory();
});
