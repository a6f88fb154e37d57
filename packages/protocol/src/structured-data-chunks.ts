/**
 * The chunks of structured objects that grow while a user interface shows them. Types only.
 */
import type { ChatTypes, DataOf, DataTypeName } from "./chat-types.ts";

interface StructuredDataBase<DataType> {
  type: "structured-data";
  /** Chunks with the same `streamId` build one object. */
  streamId: string;
  /** What the object is, for the UI that renders it ("recipe", "comparison"). */
  dataType: DataType;
  /** The schema that the whole object follows. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** A name that the agent gives the object. */
  id?: string | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** Puts `value` at `path`. */
export interface StructuredDataSetChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "set";
  /** Dot path; a numeric segment indexes an array: `"steps.0.title"`. */
  path: string;
  /** Any JSON value. It replaces the value at `path`. */
  value: unknown;
}

/** Adds items to the end of the array at `path`. */
export interface StructuredDataAppendChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "append";
  /** Dot path of an array, which is created if it does not exist. */
  path: string;
  /** Any JSON values, in order. */
  items: unknown[];
}

/** Adds text to the end of the string at `path`. */
export interface StructuredDataTextDeltaChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "text-delta";
  /** Dot path of a string, which is created if it does not exist. */
  path: string;
  /** Text to append. */
  delta: string;
}

/** The whole object; nothing may follow it. */
export interface StructuredDataFinalChunk<DataType extends string = string, Data = unknown>
  extends StructuredDataBase<DataType> {
  kind: "final";
  /** The whole object. It replaces the one built so far. */
  data: Data;
}

/** One step in building a structured object that the UI shows while it grows. */
export type StructuredDataChunk<Types extends ChatTypes = ChatTypes> = {
  [Name in DataTypeName<Types>]:
    | StructuredDataSetChunk<Name>
    | StructuredDataAppendChunk<Name>
    | StructuredDataTextDeltaChunk<Name>
    | StructuredDataFinalChunk<Name, DataOf<Types, Name>>;
}[DataTypeName<Types>];

/** The object of `streamId` no longer holds, because the session went back to a checkpoint. */
export interface StructuredDataInvalidatedChunk {
  type: "structured-data-invalidated";
  /** The object that no longer holds. */
  streamId: string;
  /** The checkpoint that the session returned to. */
  checkpointId: string;
}
