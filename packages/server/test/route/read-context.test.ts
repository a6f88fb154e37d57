import { type } from "arktype";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { z } from "zod";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { StandardSchema } from "../../src/route/standard-schema.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

interface AppTypes {
  context: { tenant: string };
}

const log = vi.spyOn(console, "error");
beforeEach(() => {
  log.mockReset();
});
afterEach(() => {
  expect(log).not.toHaveBeenCalled();
});

/** Posts a context to a route with a schema. @returns the response, and the context that the agent received. */
async function post(
  schema: StandardSchema<AppTypes["context"]>,
  context: unknown,
  options: Partial<ChatRouteOptions<AppTypes>> = {},
) {
  const received: unknown[] = [];
  const route = createChatRoute<AppTypes>({
    agent: {
      async *streamChat(_messages, agentOptions) {
        received.push(agentOptions.context);
        yield { type: "done" };
      },
    },
    schemas: { context: schema },
    ...options,
  });
  const send = (id: string) =>
    route.POST(
      new Request("http://host/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content: id }], context, idempotencyKey: id }),
      }),
    );
  const response = await send("1");
  return { status: response.status, text: await response.text(), received, send };
}

const schemaThat = (validate: (value: unknown) => unknown) =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as StandardSchema<AppTypes["context"]>;

const libraries: Record<string, StandardSchema<AppTypes["context"]>> = {
  "zod 4": z.object({ tenant: z.string() }),
  valibot: v.object({ tenant: v.string() }),
  arktype: type({ tenant: "string" }),
  "an asynchronous schema of zod 4": z.object({ tenant: z.string().refine(async () => true) }),
};

describe.each(Object.entries(libraries))("%s", (_name, schema) => {
  test("passes what it accepts to the agent", async () => {
    const { status, received } = await post(schema, { tenant: "acme" });
    expect({ status, received }).toEqual({ status: 200, received: [{ tenant: "acme" }] });
  });

  test("a wrong field is a 400 that names it, and quotes no value", async () => {
    const { status, text, received } = await post(schema, { tenant: 7_654_321 });
    expect(received).toEqual([]);
    expect({ status, ...JSON.parse(text) }).toEqual({
      status: 400,
      code: "invalid-request",
      error:
        "Invalid chat request: context.tenant must be a value that the route's schema accepts, got a number.",
      issues: [
        {
          path: "context.tenant",
          expected: "a value that the route's schema accepts",
          received: "a number",
        },
      ],
    });
  });

  test("a request without a context is checked too", async () => {
    const { status, text } = await post(schema, undefined);
    expect(status).toBe(400);
    expect(JSON.parse(text).issues).toMatchObject([{ path: "context", received: "nothing" }]);
  });
});

test("the agent receives the schema's output, also for a context that is absent", async () => {
  const schema = z.object({ tenant: z.string().trim().toUpperCase() }).default({ tenant: "NONE" });
  expect((await post(schema, { tenant: " acme ", other: 1 })).received).toEqual([{ tenant: "ACME" }]);
  expect((await post(schema, undefined)).received).toEqual([{ tenant: "NONE" }]);
});

test("an idempotency key belongs to what the client sent, not to what the schema made of it", async () => {
  let count = 0;
  const schema = z
    .object({ tenant: z.string() })
    .transform(({ tenant }) => ({ tenant: `${tenant} ${count++}` }));
  const runs = { store: createMemoryRunStore() };
  const { status, send, received } = await post(schema, { tenant: "acme" }, { runs, authorize: "anonymous" });
  expect([status, (await send("1")).status]).toEqual([200, 200]);
  expect(received).toEqual([{ tenant: "acme 0" }]);
});

test("an idempotency key belongs to what the client sent, also if the schema changes its input", async () => {
  let count = 0;
  const schema = schemaThat((value) => ({ value: Object.assign(value as object, { count: count++ }) }));
  const runs = { store: createMemoryRunStore() };
  const { status, send, received } = await post(schema, { tenant: "acme" }, { runs, authorize: "anonymous" });
  expect([status, (await send("1")).status]).toEqual([200, 200]);
  expect(received).toEqual([{ tenant: "acme", count: 0 }]);
});

describe("a hand-written schema", () => {
  const issuesOf = async (issues: unknown, context: unknown = {}) =>
    JSON.parse(
      (
        await post(
          schemaThat(() => ({ issues })),
          context,
        )
      ).text,
    ).issues as unknown;

  test("may write a path as keys or as objects with a key, and leave it out", async () => {
    const message = "secret";
    const path = ["users", { key: 0 }, { key: "name" }];
    const context = { users: [{ name: ["secret"] }] };
    const expected = "a value that the route's schema accepts";
    expect(await issuesOf([{ message, path }, { message }], context)).toEqual([
      { path: "context.users.0.name", expected, received: "an array" },
      { path: "context", expected, received: "an object" },
    ]);
  });

  test("may find no place at all, or one that does not exist", async () => {
    expect(await issuesOf([])).toMatchObject([{ path: "context" }]);
    const path = ["a", "b", Symbol("c")];
    expect(await issuesOf([{ message: "", path }])).toMatchObject([
      { path: "context.a.b.Symbol(c)", received: "nothing" },
    ]);
    expect(await issuesOf([{ message: "", path: ["constructor"] }])).toMatchObject([
      { path: "context.constructor", received: "nothing" },
    ]);
  });

  test("lists at most 100 fields, with 200 characters of each path", async () => {
    const issue = { message: "", path: ["a".repeat(10_000)] };
    const issues = (await issuesOf(new Array(1000).fill(issue))) as { path: string }[];
    expect(issues.map(({ path }) => path.length)).toEqual(new Array(100).fill(200));
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("the password is 1234");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the password is 1234"))],
    ["returns nothing", () => undefined],
  ])("that %s is a 500 without details, and is logged", async (_how, validate) => {
    log.mockImplementation(() => {});
    const { status, text, received } = await post(schemaThat(validate), {});
    expect({ status, received, ...JSON.parse(text) }).toEqual({
      status: 500,
      received: [],
      code: "internal",
      error: "Something went wrong on the server.",
      correlationId: expect.any(String),
    });
    expect(log).toHaveBeenCalledWith(
      expect.stringContaining(JSON.parse(text).correlationId),
      expect.any(Error),
    );
    log.mockReset();
  });
});

test("a schema whose output is not the declared context is a type error", () => {
  const agent = {} as ChatRouteOptions<AppTypes>["agent"];
  const wrong = () =>
    // @ts-expect-error the tenant is a string
    createChatRoute<AppTypes>({ agent, schemas: { context: z.object({ tenant: z.number() }) } });
  expect(wrong).toBeTypeOf("function");
  expectTypeOf<NonNullable<ChatRouteOptions["schemas"]>["context"]>().toExtend<StandardSchema | undefined>();
});
