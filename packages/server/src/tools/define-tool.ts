/**
 * What a tool of an agent is, and how it is described to a model. Runs none.
 */
import type { ChatMessage, ClientTool } from "@kortyx/protocol";
import {
  checkBooleanOption,
  checkFunctionOption,
  checkObjectOption,
  checkOption,
} from "@kortyx/protocol/internal";
import type { StandardSchema } from "../route/standard-schema.ts";
import { checkNames } from "../stream/check-names.ts";

/** What a tool receives with its input. */
export interface ToolRunOptions {
  /**
   * The call. For what must never happen twice, an idempotency key, unless the model's server repeats ids, such as
   * `call_0`.
   */
  toolCallId: string;
  /** Aborted when the answer is no longer needed. */
  signal: AbortSignal;
  /** The conversation, the answer so far included. */
  messages: ChatMessage[];
}

/** The parts of a tool that its author writes. */
export interface ToolOptions<Input = unknown, Output = unknown> {
  /** For the model: what the tool does, and when to call it. */
  description: string;
  /**
   * Checks the input of each call, and reads it: `run` receives the schema's output. One of zod 4, valibot, arktype, or any
   * other Standard Schema. An input that it rejects is reported to the model, which may call again.
   *
   * @defaultValue any input is accepted
   */
  inputSchema?: StandardSchema<Input> | undefined;
  /**
   * JSON Schema of the input, for the model.
   *
   * @defaultValue that of `inputSchema`, from libraries that write one (Standard JSON Schema: zod 4.2, arktype 2.2)
   */
  jsonSchema?: Record<string, unknown> | undefined;
  /** For the user, on each call: "Searching the web". */
  title?: string | undefined;
  /**
   * Whether a person must allow a call before it runs. A function decides for each input; if it throws, the call fails.
   *
   * @defaultValue false
   */
  needsApproval?: boolean | ((input: Input) => boolean | Promise<boolean>) | undefined;
  /**
   * The question to that person. An error without `needsApproval`.
   *
   * @defaultValue `Run "pay"?`, with the title of the tool, or else its name
   */
  approvalQuestion?: ((input: Input) => string) | undefined;
  /**
   * Whether that person may change the input, which is then checked again. An error without `needsApproval`.
   *
   * @defaultValue false
   */
  canEdit?: boolean | undefined;
  /**
   * Runs a call. What an async generator yields is the result so far, and what it returns the result. A result that JSON
   * cannot write, such as a function, fails the call, like an error that is thrown; `undefined` becomes `null`.
   *
   * @defaultValue the client runs the tool, and sends its result in a later request
   */
  run?:
    | ((
        input: Input,
        options: ToolRunOptions,
      ) => Output | Promise<Output> | AsyncGenerator<Output, Output, void>)
    | undefined;
}

/** Every option of a tool; one that is missing here is a type error. */
export const toolOptions: Record<keyof ToolOptions, true> = {
  description: true,
  inputSchema: true,
  jsonSchema: true,
  title: true,
  needsApproval: true,
  approvalQuestion: true,
  canEdit: true,
  run: true,
};

/** A tool, as `defineTool` returns it. */
// biome-ignore lint/suspicious/noExplicitAny: only `any` admits tools of every input into one object.
export interface Tool<Input = any, Output = any> extends ToolOptions<Input, Output> {
  /** JSON Schema of the input; absent if nothing describes it. */
  readonly jsonSchema?: Record<string, unknown> | undefined;
}

/** The tools of an agent, by name. */
export type Tools = Record<string, Tool>;

/**
 * The types of tools as an application declares them: `interface AppTypes extends ChatTypes { tools: ToolTypesOf<typeof
 * tools> }`.
 */
export type ToolTypesOf<AgentTools extends Tools> = {
  [Name in keyof AgentTools]: AgentTools[Name] extends Tool<infer Input, infer Output>
    ? {
        /** What the schema has read. */
        input: Input;
        /** What `run` returns. */
        output: Output;
      }
    : never;
};

/**
 * Defines a tool for {@link runTools}. Without `run`, the client runs it.
 *
 * @throws TypeError for an option of the wrong type or an unknown name, for an `inputSchema` that cannot be written as
 * JSON Schema, unless there is a `jsonSchema`, and for options of an approval without `needsApproval`.
 *
 * @example
 * ```ts
 * const add = defineTool({
 *   description: "Adds two numbers.",
 *   jsonSchema: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } },
 *   run: (input) => {
 *     const { a, b } = input as { a: number; b: number };
 *     return a + b;
 *   },
 * });
 * add.description; // "Adds two numbers."
 * ```
 */
export function defineTool<Input = unknown, Output = unknown>(
  tool: ToolOptions<Input, Output>,
): Tool<Input, Output> {
  const { description, inputSchema, needsApproval, run, approvalQuestion, canEdit } = tool;
  checkNames("defineTool", tool, toolOptions);
  checkOption("description", typeof description === "string", "a string", description);
  const isSchema = inputSchema === undefined || typeof inputSchema?.["~standard"]?.validate === "function";
  checkOption("inputSchema", isSchema, "a Standard Schema, such as one of zod 4", inputSchema);
  if (tool.jsonSchema !== undefined) checkObjectOption("jsonSchema", tool.jsonSchema, "a JSON Schema");
  checkBooleanOption("canEdit", canEdit);
  checkFunctionOption("run", run);
  checkFunctionOption("approvalQuestion", approvalQuestion);
  if (typeof needsApproval !== "boolean") checkFunctionOption("needsApproval", needsApproval);
  const ofApproval = approvalQuestion ? "approvalQuestion" : canEdit ? "canEdit" : undefined;
  if (ofApproval !== undefined && !("needsApproval" in tool)) {
    throw new TypeError(`${ofApproval}: no one is asked without \`needsApproval\`; set it, too.`);
  }
  const jsonSchema = tool.jsonSchema ?? (inputSchema && toJSONSchema(inputSchema));
  return { ...tool, jsonSchema };
}

/** The part of Standard JSON Schema (https://standardschema.dev/json-schema) that is used. */
interface JSONSchemaWriter {
  jsonSchema?: { input?: (options: { target: string }) => Record<string, unknown> };
}

function toJSONSchema(schema: StandardSchema): Record<string, unknown> {
  const writer: JSONSchemaWriter & { vendor?: string } = schema["~standard"];
  if (typeof writer.jsonSchema?.input !== "function") {
    throw new TypeError(
      `The inputSchema, one of ${writer.vendor}, does not describe itself as JSON Schema: pass jsonSchema, too.`,
    );
  }
  try {
    // Without the name of the dialect, which some providers refuse.
    const { $schema, ...jsonSchema } = writer.jsonSchema.input({ target: "draft-2020-12" });
    return jsonSchema;
  } catch (cause) {
    throw new TypeError("The inputSchema cannot be written as JSON Schema: pass jsonSchema, too.", { cause });
  }
}

/** @returns what a model needs to know of the tools. */
export const describeTools = (tools: Tools): ClientTool[] =>
  Object.entries(tools).map(([name, { description, jsonSchema }]) => ({
    name,
    description,
    ...(jsonSchema && { inputSchema: jsonSchema }),
  }));
