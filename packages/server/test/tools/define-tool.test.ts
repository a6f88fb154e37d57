import type { ChatTypes } from "@kortyx/protocol";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { ChatAgent } from "../../src/route/chat-agent.ts";
import { defineTool, describeTools, type ToolTypesOf } from "../../src/tools/define-tool.ts";
import { runTools } from "../../src/tools/run-tools.ts";
import { scriptTurns } from "./scripted-turns.ts";

const query = z.object({ query: z.string() });

describe("defineTool", () => {
  test("describes the input of zod 4 and arktype as JSON Schema, without the name of the dialect", () => {
    const properties = { query: { type: "string" } };
    const expected = { type: "object", properties, required: ["query"] };
    const tool = { description: "Searches." };
    expect(defineTool({ ...tool, inputSchema: query }).jsonSchema).toMatchObject(expected);
    expect(defineTool({ ...tool, inputSchema: type({ query: "string" }) }).jsonSchema).toEqual(expected);
    expect(defineTool({ ...tool, inputSchema: query }).jsonSchema).not.toHaveProperty("$schema");
  });

  test("prefers a JSON Schema that is given", () => {
    const jsonSchema = { type: "object", title: "Mine" };
    expect(defineTool({ description: "", inputSchema: query, jsonSchema }).jsonSchema).toBe(jsonSchema);
    expect(defineTool({ description: "", jsonSchema }).jsonSchema).toBe(jsonSchema);
    expect(defineTool({ description: "" }).jsonSchema).toBeUndefined();
  });

  test("describes to a model the input that a schema accepts, not what it reads", () => {
    const inputSchema = z.object({ day: z.string().transform((text) => new Date(text)) });
    expect(defineTool({ description: "", inputSchema }).jsonSchema).toMatchObject({
      properties: { day: { type: "string" } },
    });
  });

  test("refuses a schema that cannot be written as JSON Schema, unless one is given", () => {
    const valibot = v.object({ query: v.string() });
    expect(() => defineTool({ description: "", inputSchema: valibot })).toThrow(
      new TypeError(
        "The inputSchema, one of valibot, does not describe itself as JSON Schema: pass jsonSchema, too.",
      ),
    );
    expect(() => defineTool({ description: "", inputSchema: z.object({ day: z.date() }) })).toThrow(
      "The inputSchema cannot be written as JSON Schema: pass jsonSchema, too.",
    );
    const jsonSchema = { type: "object" };
    expect(defineTool({ description: "", inputSchema: valibot, jsonSchema }).jsonSchema).toBe(jsonSchema);
  });

  test.each([
    ["description", { description: 1 }, "description must be a string; got"],
    ["inputSchema", { inputSchema: {} }, "inputSchema must be a Standard Schema, such as one of zod 4; got"],
    ["jsonSchema", { jsonSchema: "{}" }, "jsonSchema must be a JSON Schema; got"],
    ["needsApproval", { needsApproval: "yes" }, "needsApproval must be a function; got"],
    ["canEdit", { canEdit: 1 }, "canEdit must be a boolean; got"],
    ["approvalQuestion", { approvalQuestion: "?" }, "approvalQuestion must be a function; got"],
    ["run", { run: {} }, "run must be a function; got"],
    [
      "question about nothing",
      { approvalQuestion: () => "?" },
      "approvalQuestion: no one is asked without `needsApproval`; set it, too.",
    ],
    ["edit", { canEdit: true }, "canEdit: no one is asked without `needsApproval`; set it, too."],
    ["name", { needAproval: true }, 'defineTool has no option "needAproval". Did you mean "needsApproval"?'],
  ])("refuses a wrong %s", (_, options, message) => {
    expect(() => defineTool({ description: "", ...options } as never)).toThrow(message);
  });

  test("accepts options of an approval that is switched off", () => {
    for (const needsApproval of [false, undefined]) {
      defineTool({ description: "", canEdit: true, approvalQuestion: () => "?", needsApproval });
    }
  });

  test("infers input and output, also for the types of an application", () => {
    const tools = {
      search: defineTool({
        description: "",
        inputSchema: query,
        run: async (input) => {
          expectTypeOf(input).toEqualTypeOf<{ query: string }>();
          return [input.query];
        },
      }),
      count: defineTool({
        description: "",
        inputSchema: z.object({ to: z.number() }),
        needsApproval: ({ to }) => to > 5,
        approvalQuestion: ({ to }) => `Count to ${to}?`,
        async *run({ to }) {
          yield 1;
          return to;
        },
      }),
      locate: defineTool({ description: "" }),
    };
    expectTypeOf<ToolTypesOf<typeof tools>>().toEqualTypeOf<{
      search: { input: { query: string }; output: string[] };
      count: { input: { to: number }; output: number };
      locate: { input: unknown; output: unknown };
    }>();
  });
});

test("an agent with declared types is a loop with its tools", () => {
  const tools = { search: defineTool({ description: "", inputSchema: query, run: ({ query }) => [query] }) };
  interface AppTypes extends ChatTypes {
    context: { tenant: string };
    tools: ToolTypesOf<typeof tools>;
  }
  const agent: ChatAgent<AppTypes> = {
    streamChat: (messages, options) => runTools({ messages, options, tools, turn: scriptTurns({}).turn }),
  };
  expect(agent).toHaveProperty("streamChat");
});

test("describeTools returns what a model needs to know", () => {
  const tools = {
    search: defineTool({ description: "Searches.", jsonSchema: { type: "object" }, run: () => 1 }),
    locate: defineTool({ description: "Locates." }),
  };
  expect(describeTools(tools)).toEqual([
    { name: "search", description: "Searches.", inputSchema: { type: "object" } },
    { name: "locate", description: "Locates." },
  ]);
});
