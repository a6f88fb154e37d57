/**
 * Checks the `context` of a request with the application's own schema. Knows no schema library.
 */
import { invalidRequest, toContextIssue } from "./chat-request-error.ts";
import type { SchemaIssue, StandardSchema } from "./standard-schema.ts";

/**
 * @param context - As the client sent it; undefined if it sent none, which the schema decides on, too.
 * @returns the schema's output.
 * @throws ChatRequestError `invalid-request` that names each wrong field; any error of the schema itself.
 */
export async function readContext<Context>(
  schema: StandardSchema<Context>,
  context: unknown,
): Promise<Context> {
  // A copy, because some schemas write defaults into their input, and what the client sent identifies its run.
  const result = await schema["~standard"].validate(structuredClone(context));
  if (result.issues === undefined) return result.value;
  const paths = result.issues.length === 0 ? [[]] : result.issues.map(keysOf);
  throw invalidRequest(paths.map((keys) => toContextIssue(keys, context)));
}

/** Not `path.map`, which makes another path of arktype's own class: one of length 0 becomes `[0]`. */
const keysOf = ({ path = [] }: SchemaIssue): PropertyKey[] =>
  Array.from(path, (segment) => (typeof segment === "object" ? segment.key : segment));
