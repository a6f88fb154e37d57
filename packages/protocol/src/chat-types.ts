/**
 * The types that an application declares for its own values, and how the types of the contract read them. Types only:
 * they add no code, and nothing is checked at run time.
 */

/** What one tool takes and returns. */
export interface ToolTypes {
  /** The input of a call. */
  input: unknown;
  /** The content of a result, those with `isError` included. */
  output: unknown;
}

/**
 * The types of an application's own values: declared once, and passed by name to everything that carries them, such as
 * `ChatAgent<AppTypes>` and `useChat<AppTypes>`. What is left out stays untyped.
 *
 * Where a program reads a stream or a request, the types are a claim about its other end, not a check: an older or newer
 * program may send something else.
 *
 * @example
 * ```ts
 * interface AppTypes extends ChatTypes {
 *   context: { tenant: string };
 *   structured: { recipe: { title: string; steps: string[] } };
 *   tools: { search: { input: { query: string }; output: string[] } };
 * }
 * ```
 */
export interface ChatTypes {
  /** Anything the application wants to pass to its agent. Required for each request if it is declared as required. */
  context?: Fields | undefined;
  /** The `metadata` of messages. In an answer, any of it may be missing. */
  metadata?: Fields | undefined;
  /** Structured objects, by `dataType`. */
  structured?: object | undefined;
  /** Application data, by the `name` of its chunks. */
  data?: object | undefined;
  /** Tools, by name: a type literal, because an interface has no index signature. */
  tools?: Record<string, ToolTypes> | undefined;
  /**
   * Chunks of types that the contract does not know, which an agent may send too: a union of objects with a `type`, or
   * `UnknownChunk` for any. Readers receive them in `onUnknownChunk`.
   */
  chunks?: object | undefined;
}

/** Any object. The fields are `any` and not `unknown`, because only `any` admits interfaces. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Fields = Record<string, any>;

/**
 * The name of a tool, or the `dataType` of an object, that an application has not declared: a string that only a stream
 * of another version holds. An enum, because its type is a string that no literal fits, so that a comparison with a
 * declared name narrows the type.
 */
declare enum UndeclaredName {
  name = "(undeclared)",
}

export type { UndeclaredName };

/** The declared names; any string if none are declared. */
type NamesOf<Declared> = [keyof Declared] extends [never]
  ? string
  : string extends keyof Declared
    ? string
    : Extract<keyof Declared, string> | UndeclaredName;

/** The names of the declared tools, and {@link UndeclaredName}; any string if none are declared. */
export type ToolName<Types extends ChatTypes> = NamesOf<NonNullable<Types["tools"]>>;

/** The input of a tool; `unknown` if it is not declared. */
export type ToolInput<Types extends ChatTypes, Tool> = FieldOf<NonNullable<Types["tools"]>, Tool, "input">;

/** The content of a tool's result; `unknown` if it is not declared. */
export type ToolOutput<Types extends ChatTypes, Tool> = FieldOf<NonNullable<Types["tools"]>, Tool, "output">;

type FieldOf<Tools, Tool, Field extends string> = Tool extends keyof Tools
  ? Field extends keyof Tools[Tool]
    ? Tools[Tool][Field]
    : unknown
  : unknown;

/** The names of the declared application data, and {@link UndeclaredName}; any string if none are declared. */
export type DataName<Types extends ChatTypes> = NamesOf<NonNullable<Types["data"]>>;

/** Application data; `unknown` if it is not declared. */
export type DataValue<Types extends ChatTypes, Name> = Name extends keyof NonNullable<Types["data"]>
  ? NonNullable<Types["data"]>[Name]
  : unknown;

/** A change to the metadata of a message: `null` removes a key. */
export type MetadataPatch<Types extends ChatTypes> = {
  [Key in keyof NonNullable<Types["metadata"]>]?: NonNullable<Types["metadata"]>[Key] | null;
};

/** The `dataType` of the declared objects, and {@link UndeclaredName}; any string if none are declared. */
export type DataTypeName<Types extends ChatTypes> = NamesOf<NonNullable<Types["structured"]>>;

/** A structured object; `unknown` if it is not declared. */
export type DataOf<Types extends ChatTypes, Name> = Name extends keyof NonNullable<Types["structured"]>
  ? NonNullable<Types["structured"]>[Name]
  : unknown;

/** A structured object that is still growing: anything in it may be missing. */
export type PartialData<Data> = Data extends readonly (infer Item)[]
  ? PartialData<Item>[]
  : Data extends object
    ? { [Name in keyof Data]?: PartialData<Data[Name]> | undefined }
    : Data;

/** The chunks of the application's own types. */
export type CustomChunk<Types extends ChatTypes> = Extract<Types["chunks"], { type: string }>;
