/**
 * The interface that schemas of zod 4, valibot, arktype and other libraries share. Copied from https://standardschema.dev
 * (version 1), so that none of them is a dependency. Types only.
 */

/** A schema of any library that implements Standard Schema. */
export interface StandardSchema<Output = unknown> {
  /** The interface that all libraries share. */
  readonly "~standard": {
    /** The version of Standard Schema. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Checks a value, and returns the output, or the issues. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler alone. */
    readonly types?:
      | {
          /** What the schema accepts. */
          readonly input: unknown;
          /** What it reads. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** The value that was read, or what is wrong with the input. */
export type SchemaResult<Output> =
  | {
      /** What the schema read. */
      readonly value: Output;
      /** Absent, which means that the value is right. */
      readonly issues?: undefined;
    }
  | {
      /** What is wrong. */
      readonly issues: readonly SchemaIssue[];
    };

/** A step of a path, as some libraries write it. */
export interface SchemaPathSegment {
  /** The name of a field, or the index of an item. */
  readonly key: PropertyKey;
}

/** What is wrong with a value. */
export interface SchemaIssue {
  /** For people; may quote the value. */
  readonly message: string;
  /** Where, from the checked value; nothing for the value itself. */
  readonly path?: readonly (PropertyKey | SchemaPathSegment)[] | undefined;
}
