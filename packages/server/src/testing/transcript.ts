/** What a stream has sent, as a plain value that any assertion compares. Asserts nothing itself. */
import { createChunkDecoder, type StreamChunk } from "@kortyx/protocol";

/**
 * Collects the chunks that a route has sent, for `toEqual` or `assert.deepEqual`. What a server draws at random gets a
 * name: each UUID, and each `runId`, `resumeToken` and `correlationId`, becomes its field and a number, such as
 * `"runId-1"`, in the order in which they appear. Equal values get the same name, wherever they are.
 *
 * Chunks of unknown types are included. Reads the whole response, which it must not have been before.
 *
 * @param source - The response of a route, or the text of its body.
 * @throws Error when the response is not a stream, with its status and its text; StreamTruncatedError when the stream
 * was cut; StreamProtocolError when it violates the protocol.
 *
 * @example
 * ```ts
 * const transcript = await collectTranscript(await route.POST(request));
 * transcript.at(-1); // { type: "done" }
 * ```
 */
export async function collectTranscript(source: Response | string): Promise<StreamChunk[]> {
  const text = typeof source === "string" ? source : await textOf(source);
  const chunks: unknown[] = [];
  const decoder = createChunkDecoder({
    maxEventBytes: Number.POSITIVE_INFINITY,
    onUnknownChunk: (chunk) => chunks.push(chunk),
  });
  decoder.push(new TextEncoder().encode(text));
  for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) chunks.push(chunk);
  decoder.end();
  return nameRandomValues(chunks) as StreamChunk[];
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  const type = response.headers.get("content-type");
  if (response.ok && type?.startsWith("text/event-stream")) return text;
  throw new Error(`Expected a stream; got status ${response.status}, ${type ?? "no content-type"}: ${text}`);
}

const randomFields = new Set(["runId", "resumeToken", "correlationId"]);
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

function nameRandomValues(value: unknown): unknown {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const visit = (found: unknown, field: string): unknown => {
    if (typeof found === "string") {
      const known = names.get(found);
      if (known !== undefined || !(randomFields.has(field) || uuid.test(found))) return known ?? found;
      const count = (counts.get(field) ?? 0) + 1;
      counts.set(field, count);
      names.set(found, `${field}-${count}`);
      return `${field}-${count}`;
    }
    if (Array.isArray(found)) return found.map((item) => visit(item, field));
    if (found === null || typeof found !== "object") return found;
    return Object.fromEntries(Object.entries(found).map(([key, item]) => [key, visit(item, key)]));
  };
  return visit(value, "");
}
