import { Cluster, Redis } from "ioredis";
import { createClient, createClientPool, createCluster } from "redis";
import { describe, expect, test } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { parseChatRequestBody, readChatRequest } from "../../src/route/read-chat-request.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import { collectBufferedStream } from "../../src/stream/collect-stream.ts";
import { toSSE } from "../../src/stream/to-sse.ts";

const agent = { streamChat: () => [] };
const store = createMemoryRunStore();
const withRuns = (runs: unknown) => ({ agent, authorize: "anonymous", runs });
const { read: _read, wait: _wait, ...incomplete } = store;

/** Options that a compiler would reject, and the error that names each. */
const wrong: [options: unknown, error: Error][] = [
  [
    undefined,
    new TypeError("The options of createChatRoute must be an object with an agent; got undefined."),
  ],
  [{}, new TypeError("agent must be an object with a streamChat() method; got undefined.")],
  [{ agent: () => {} }, new TypeError("agent must be an object with a streamChat() method; got a function.")],
  [{ agent: null }, new TypeError("agent must be an object with a streamChat() method; got null.")],
  [{ agent: {} }, new TypeError("agent must be an object with a streamChat() method; got an object.")],
  [
    { agent: Promise.resolve(agent) },
    new TypeError("agent must be an object with a streamChat() method; got a promise."),
  ],
  [{ agent, authorize: "ann" }, new TypeError('authorize must be a function or "anonymous"; got "ann".')],
  [
    { agent, autorize: () => null },
    new TypeError('createChatRoute has no option "autorize". Did you mean "authorize"?'),
  ],
  [
    { agent, autorize: undefined },
    new TypeError('createChatRoute has no option "autorize". Did you mean "authorize"?'),
  ],
  [
    { agent, resumesecret: "a secret" },
    new TypeError('createChatRoute has no option "resumesecret". Did you mean "resumeSecret"?'),
  ],
  [{ agent, toString: 1 }, new TypeError('createChatRoute has no option "toString".')],
  [
    withRuns({ store, onstart: () => {} }),
    new TypeError('runs has no option "onstart". Did you mean "onStart"?'),
  ],
  [{ agent, onFinish: {} }, new TypeError("onFinish must be a function; got an object.")],
  [{ agent, onError: "Sorry." }, new TypeError('onError must be a function; got "Sorry.".')],
  [
    { agent, allowedRoles: "user" },
    new TypeError('allowedRoles must be an array of "user", "assistant" and "system"; got "user".'),
  ],
  [
    { agent, allowedRoles: ["admin"] },
    new TypeError('allowedRoles must be an array of "user", "assistant" and "system"; got an array.'),
  ],
  [
    { agent, cors: "*" },
    new TypeError('cors must be { origin }, with an origin, several, a function or "*"; got "*".'),
  ],
  [
    { agent, cors: {} },
    new TypeError('cors must be { origin }, with an origin, several, a function or "*"; got an object.'),
  ],
  ...[
    "",
    "app.example",
    "https://app.example/",
    "https://app.example/chat",
    "https://App.example",
    "https://app.example:443",
    "https://*.example",
    "app://*",
    "localhost:3000",
  ].map((origin): [unknown, Error] => [
    { agent, cors: { origin } },
    new TypeError(
      `cors.origin must be as browsers send it, such as "https://app.example", without a path or a pattern; got "${origin}".`,
    ),
  ]),
  [
    { agent, cors: { origin: ["https://app.example", "*"] } },
    new TypeError(
      'cors.origin must be as browsers send it, such as "https://app.example", without a path or a pattern; got "*".',
    ),
  ],
  [
    { agent, cors: { origin: "https://app.example", credentials: "include" } },
    new TypeError('cors.credentials must be a boolean; got "include".'),
  ],
  [
    { agent, schemas: null },
    new TypeError("schemas must be an object with a schema: { context }; got null."),
  ],
  [
    { agent, schemas: { contxt: {} } },
    new TypeError('schemas.contxt must be left out: the only schema is "context"; got an object.'),
  ],
  [
    { agent, schemas: { context: { parse: () => ({}) } } },
    new TypeError(
      "schemas.context must be a Standard Schema, such as z.object({ … }) of zod 4; got an object.",
    ),
  ],
  [
    { agent, schemas: { context: null } },
    new TypeError("schemas.context must be a Standard Schema, such as z.object({ … }) of zod 4; got null."),
  ],
  [
    { agent, cors: { origin: "https://a.example", credential: true } },
    new TypeError('cors has no option "credential". Did you mean "credentials"?'),
  ],
  [
    { agent, wires: [{ readsBody: () => true, createTranslator: () => ({}) }] },
    new TypeError("wires.0 must be a wire, such as aiSDKWire; got an object."),
  ],
  [{ agent, collectMessage: "yes" }, new TypeError('collectMessage must be a boolean; got "yes".')],
  [{ agent, headers: 42 }, new TypeError("headers must be an object of headers; got 42.")],
  [{ agent, maxBodyBytes: "1mb" }, new RangeError('maxBodyBytes must be a number, 0 or more; got "1mb".')],
  [{ agent, maxMessages: Number.NaN }, new RangeError("maxMessages must be a number, 0 or more; got NaN.")],
  [{ agent, maxItems: "all" }, new RangeError('maxItems must be a number, 0 or more; got "all".')],
  ...["https:", ["https"], ["HTTPS:"], ["https://"], ["*"], [""], [/https:/]].map(
    (fileUrlSchemes): [unknown, Error] => [
      { agent, fileUrlSchemes },
      new TypeError(
        `fileUrlSchemes must be an array of schemes with their colon, such as ["https:"]; got ${
          typeof fileUrlSchemes === "string" ? '"https:"' : "an array"
        }.`,
      ),
    ],
  ),
  [{ agent, maxDepth: -1 }, new RangeError("maxDepth must be a number, 0 or more; got -1.")],
  [
    { agent, maxBufferedBytes: null },
    new RangeError("maxBufferedBytes must be a number, 0 or more; got null."),
  ],
  [
    { agent, heartbeatMs: "8000" },
    new RangeError('heartbeatMs must be a number of milliseconds, 0 or more; got "8000".'),
  ],
  [
    { agent, runs: { store } },
    new TypeError(
      'runs: a route with runs needs `authorize`; `authorize: "anonymous"` admits every visitor.',
    ),
  ],
  [
    { agent, authorize: () => "ann", onFinish: () => {}, runs: { store } },
    new TypeError("onFinish: a route with runs calls only that of `runs`; move it there."),
  ],
  [withRuns(true), new TypeError("runs must be an object with a store; got true.")],
  [
    withRuns(store),
    new TypeError("runs.store must be a store, such as createMemoryRunStore(); got undefined."),
  ],
  [withRuns({}), new TypeError("runs.store must be a store, such as createMemoryRunStore(); got undefined.")],
  [
    withRuns({ store: createMemoryRunStore }),
    new TypeError("runs.store must be a store, such as createMemoryRunStore(); got a function."),
  ],
  [
    withRuns({ store: incomplete }),
    new TypeError("runs.store must be a store with read(), wait(); got an object."),
  ],
  [
    withRuns({ store, onActiveRun: "queue" }),
    new TypeError('runs.onActiveRun must be "reject", "stop" or "allow"; got "queue".'),
  ],
  [
    withRuns({ store, onDisconnect: "stop" }),
    new TypeError('runs.onDisconnect must be "continue" or "cancel"; got "stop".'),
  ],
  [
    withRuns({ store, maxOpenRuns: Number.NaN }),
    new RangeError("runs.maxOpenRuns must be a number, 0 or more; got NaN."),
  ],
  [
    withRuns({ store, maxRunCharacters: "8mb" }),
    new RangeError('runs.maxRunCharacters must be a number, 0 or more; got "8mb".'),
  ],
  [
    withRuns({ store, maxRunChunks: -1 }),
    new RangeError("runs.maxRunChunks must be a number, 0 or more; got -1."),
  ],
  [
    withRuns({ store, maxRunDurationMs: Number.NaN }),
    new RangeError("runs.maxRunDurationMs must be a number of milliseconds, 0 or more; got NaN."),
  ],
  [withRuns({ store, waitUntil: {} }), new TypeError("runs.waitUntil must be a function; got an object.")],
  [withRuns({ store, onStart: 1 }), new TypeError("runs.onStart must be a function; got 1.")],
  [withRuns({ store, onFinish: [] }), new TypeError("runs.onFinish must be a function; got an array.")],
];

describe("an invalid option is refused when the route is created:", () => {
  test.each(wrong)("%o", (options, error) => {
    expect(() => createChatRoute(options as never)).toThrow(error);
  });

  test("an invalid header", () => {
    expect(() => createChatRoute({ agent, headers: { "not a name": "x" } })).toThrow(TypeError);
  });
});

test("every valid option is accepted", () => {
  const fine = () => {};
  createChatRoute({
    agent,
    authorize: () => null,
    allowedRoles: ["system"],
    cors: { origin: ["https://a.example"], credentials: true },
    headers: [["x-a", "1"]],
    maxBodyBytes: Number.POSITIVE_INFINITY,
    maxMessages: 0,
    maxItems: 0,
    fileUrlSchemes: ["http:", "web+files:"],
    heartbeatMs: 0,
    collectMessage: true,
    onError: () => "Sorry.",
    runs: {
      store,
      onActiveRun: "allow",
      onDisconnect: "cancel",
      maxOpenRuns: 1,
      waitUntil: fine,
      onStart: fine,
      onFinish: fine,
    },
  });
  createChatRoute({ agent, onFinish: fine, collectMessage: false });
  const origins = [
    "http://localhost:3000",
    "http://127.0.0.1:5173",
    "http://[::1]:8080",
    "https://xn--bcher-kva.example",
    "capacitor://localhost",
    "chrome-extension://abcdefgh",
    "null",
  ];
  for (const origin of ["*", "https://a.example", () => true, ...origins, origins, []]) {
    createChatRoute({ agent, cors: { origin } });
  }
  // A class instance has its methods on the prototype.
  class Agent {
    streamChat() {
      return [];
    }
  }
  createChatRoute({ agent: new Agent() });
});

test("toSSE() refuses an invalid option and does not open its source", () => {
  let isOpened = false;
  const source = () => {
    isOpened = true;
    return [];
  };
  for (const [options, message] of [
    [{ onFinish: "x" }, 'onFinish must be a function; got "x".'],
    [{ onError: 1 }, "onError must be a function; got 1."],
    [{ signal: new Request("http://host/") }, "signal must be an AbortSignal; got an object."],
    [{ collectMessage: "yes" }, 'collectMessage must be a boolean; got "yes".'],
    [{ status: 204 }, "status must be a whole number from 200 to 599 that allows a body"],
    [{ status: "200" }, 'so not 204, 205 or 304; got "200".'],
    [{ stallTimeoutMs: "60s" }, 'stallTimeoutMs must be a number of milliseconds, 0 or more; got "60s".'],
  ] as const) {
    expect(() => toSSE(source, options as never)).toThrow(message);
  }
  expect(isOpened).toBe(false);
});

test("a limit that is not a number is refused, instead of allowing everything", async () => {
  const request = new Request("http://host/", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"messages":[]}',
  });
  await expect(readChatRequest(request, { maxBodyBytes: Number.NaN })).rejects.toThrow(RangeError);
  for (const limits of [{ maxMessages: Number.NaN }, { maxItems: Number.NaN }, { maxDepth: Number.NaN }]) {
    expect(() => parseChatRequestBody({ messages: [] }, limits)).toThrow(RangeError);
  }
  expect(() => parseChatRequestBody({ messages: [] }, { fileUrlSchemes: ["https"] })).toThrow(TypeError);
  expect(() => parseChatRequestBody({ messages: [], context: { a: { b: {} } } }, { maxDepth: 2.5 })).toThrow(
    "nested at most 2.5 levels deep",
  );
  await expect(collectBufferedStream([], { maxBytes: Number.NaN })).rejects.toThrow(RangeError);
  expect(() => createMemoryRunStore({ maxHeapBytes: Number.NaN })).toThrow(
    "maxHeapBytes must be a number, 0 or more; got NaN.",
  );
});

test("a run store without options names the missing option", () => {
  for (const [options, received] of [
    [undefined, "undefined"],
    [null, "null"],
    ["runs.db", '"runs.db"'],
  ]) {
    expect(() => createRedisRunStore(options as never)).toThrow(
      new TypeError(`The options of createRedisRunStore must be an object with a client; got ${received}.`),
    );
    expect(() => createSqliteRunStore(options as never)).toThrow(
      new TypeError(`The options of createSqliteRunStore must be an object with a path; got ${received}.`),
    );
  }
});

test("anything but a usable client of a library for Redis is refused when its store is created", async () => {
  const methods = (...names: string[]) => Object.fromEntries(names.map((name) => [name, () => {}]));
  const redis4 = { ...methods("eval", "evalSha", "duplicate", "disconnect"), isOpen: true };
  const upstash = methods("eval", "evalsha", "set", "publish");
  const glide = methods("invokeScript", "customCommand", "publish", "close");
  const pipeline = new Redis({ lazyConnect: true }).pipeline();
  for (const client of [
    undefined,
    null,
    "redis://host",
    createClient().connect,
    Redis,
    createClientPool(),
    pipeline,
    redis4,
    upstash,
    glide,
  ]) {
    expect(() => createRedisRunStore({ client } as never)).toThrow(
      "client must be a client of the redis package, version 5 or later, as `await createClient({ url }).connect()` " +
        "returns it, or one of ioredis, as `new Redis(url)` creates it (not a pool); got ",
    );
  }
  expect(() => createRedisRunStore({ client: createClient() })).toThrow(
    "client must be connected: call `await client.connect()` before createRedisRunStore().",
  );
  // A client that is connecting will connect sooner or later, and queues commands until then.
  const connecting = createClient({ socket: { path: "/nowhere/redis.sock", reconnectStrategy: 1000 } });
  connecting.on("error", () => {});
  connecting.connect().catch(() => {});
  createRedisRunStore({ client: connecting });
  connecting.destroy();
  for (const client of [
    new Redis({ lazyConnect: true }),
    new Cluster([{ host: "127.0.0.1" }], { lazyConnect: true }),
  ]) {
    createRedisRunStore({ client });
    client.disconnect();
    await expect.poll(() => client.status).toBe("end");
    expect(() => createRedisRunStore({ client })).toThrow(
      "client must not be closed: create a client for createRedisRunStore() that you have not disconnected.",
    );
  }
});

test("a prefix for Redis must not have an empty hash tag", () => {
  const client = Object.create(createCluster({ rootNodes: [{}] }), { isOpen: { value: true } });
  for (const prefix of ["{}", "{}:", "a{}{b}"]) {
    expect(() => createRedisRunStore({ client, prefix })).toThrow(
      `prefix must be a string without "{}", where a hash tag would be empty; got ${JSON.stringify(prefix)}.`,
    );
  }
  for (const prefix of [undefined, "", "kortyx:", "{:", "a}b{", "{kortyx}:", "{a}{}"]) {
    createRedisRunStore({ client, prefix });
  }
});
