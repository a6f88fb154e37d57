/**
 * Writes the chunks of one structured object, with paths and values checked against its declared type by the compiler.
 * Holds no state and checks nothing at run time; `fold-structured-data.ts` defines the meaning of the chunks.
 */
import type { ChatTypes, DataOf, DataTypeName, UndeclaredName } from "./chat-types.ts";
import type {
  StructuredDataAppendChunk,
  StructuredDataFinalChunk,
  StructuredDataSetChunk,
  StructuredDataTextDeltaChunk,
} from "./chunks.ts";

/** The fields that all chunks of one object share. */
export interface StructuredStreamWriterOptions<DataType extends string = string> {
  /** What the object is, for the user interface that renders it. */
  dataType: DataType;
  /** Identifies the object within its stream. */
  streamId: string;
  /** The schema of the object, if the application names its schemas. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** An id of the application's own. */
  id?: string | undefined;
  /** The node of the workflow that writes the object. */
  node?: string | undefined;
}

/**
 * Makes the chunks of one object. Each method returns a chunk to yield. A path joins names and indices with dots:
 * `"steps.0.text"`; a name that itself holds a dot cannot be written.
 */
export interface StructuredStreamWriter<DataType extends string = string, Data = unknown> {
  /** Puts a value at a path. */
  set<Path extends string>(
    path: PathIn<Data, Path>,
    value: ValueAt<Data, Path>,
  ): StructuredDataSetChunk<DataType>;
  /** Adds items to the end of the list at a path. */
  append<Path extends string>(
    path: ListPathIn<Data, Path>,
    ...items: ItemAt<Data, Path>[]
  ): StructuredDataAppendChunk<DataType>;
  /** Adds text to the end of the string at a path. */
  textDelta<Path extends string>(
    path: TextPathIn<Data, Path>,
    delta: string,
  ): StructuredDataTextDeltaChunk<DataType>;
  /** The whole object; nothing may follow it. */
  final(data: Data): StructuredDataFinalChunk<DataType, Data>;
}

/**
 * Creates a writer of one structured object.
 *
 * @example
 * ```ts
 * interface AppTypes extends ChatTypes {
 *   structured: { recipe: { title: string; steps: { text: string }[] } };
 * }
 * const recipe = createStructuredStreamWriter<AppTypes, "recipe">({ dataType: "recipe", streamId: "1" });
 * const accumulator = createStructuredStreamAccumulator([
 *   recipe.set("title", "Soup"),
 *   recipe.append("steps", { text: "Boil " }),
 *   recipe.textDelta("steps.0.text", "water."),
 * ]);
 * accumulator.get("1")?.data; // { title: "Soup", steps: [{ text: "Boil water." }] }
 * ```
 */
export function createStructuredStreamWriter<
  Types extends ChatTypes = ChatTypes,
  Name extends DataTypeName<Types> = OnlyIfAnyName<DataTypeName<Types>>,
>(options: StructuredStreamWriterOptions<Name>): StructuredStreamWriter<Name, DataOf<Types, Name>>;
export function createStructuredStreamWriter(options: StructuredStreamWriterOptions): StructuredStreamWriter {
  const common = { type: "structured-data", ...options } as const;
  return {
    set: (path, value) => ({ ...common, kind: "set", path, value }),
    append: (path, ...items) => ({ ...common, kind: "append", path, items }),
    textDelta: (path, delta) => ({ ...common, kind: "text-delta", path, delta }),
    final: (data) => ({ ...common, kind: "final", data }),
  };
}

/** Without a second type parameter, declared names are refused: TypeScript would check nothing against their union. */
type OnlyIfAnyName<Name> = string extends Name ? Name : Extract<Name, UndeclaredName>;

/** The path itself if it leads anywhere, else the paths that do, as far as this one is right. */
type PathIn<Data, Path extends string> = [ValueAt<Data, Path>] extends [never] ? PathsNear<Data, Path> : Path;

/** A path to a string. Any other path becomes a sentence for the compiler's message. */
type TextPathIn<Data, Path extends string> = [ValueAt<Data, Path>] extends [never]
  ? PathsNear<Data, Path>
  : string extends ValueAt<Data, Path>
    ? Path
    : `${Path} is not a string`;

/** A path to an array. Any other path becomes a sentence for the compiler's message. */
type ListPathIn<Data, Path extends string> = [ValueAt<Data, Path>] extends [never]
  ? PathsNear<Data, Path>
  : [ItemAt<Data, Path>] extends [never]
    ? `${Path} is not an array`
    : Path;

/** The value at a path; `never` if the path leads nowhere. */
type ValueAt<Data, Path extends string> = unknown extends Data
  ? unknown
  : Path extends `${infer Name}.${infer Rest}`
    ? ValueAt<FieldOf<Data, Name>, Rest>
    : FieldOf<Data, Path>;

/** The items of the array at a path. */
type ItemAt<Data, Path extends string> = ItemOf<ValueAt<Data, Path>>;

type ItemOf<List> = unknown extends List ? unknown : List extends readonly (infer Item)[] ? Item : never;

/** The value of a field or an item, without the `undefined` of an optional one, which JSON cannot write. */
type FieldOf<Data, Name extends string> = Data extends readonly (infer Item)[]
  ? Name extends `${number}`
    ? Item
    : never
  : Name extends keyof Data
    ? Exclude<Data[Name], undefined>
    : never;

type PathsNear<
  Data,
  Path extends string,
  Start extends string = "",
> = Path extends `${infer Name}.${infer Rest}`
  ? [FieldOf<Data, Name>] extends [never]
    ? `${Start}${NameIn<Data>}`
    : [NameIn<FieldOf<Data, Name>>] extends [never]
      ? `${Start}${Name}`
      : PathsNear<FieldOf<Data, Name>, Rest, `${Start}${Name}.`>
  : `${Start}${NameIn<Data>}`;

type NameIn<Data> = Data extends readonly unknown[]
  ? `${number}`
  : Data extends object
    ? keyof Data & string
    : never;
