/** What a stream has sent, as a plain value that any assertion compares. Asserts nothing itself. */
import { type ChatTypes, createChunkDecoder, type StreamChunk } from "@kortyx/protocol";
import { checkLimitOption } from "@kortyx/protocol/internal";

/** Options of {@link collectTranscript}. */
export interface TranscriptOptions {
  /**
   * Reads at most this number of chunks, and then leaves the response, as a user does who closes the page. So a stream
   * that waits for something, or never ends, has a transcript too.
   *
   * @defaultValue `Infinity`
   */
  maxChunks?: number | undefined;
}

/**
 * Collects the chunks that a route has sent, for `toEqual` or `assert.deepEqual`. What a server draws at random gets a
 * name: each UUID, also within a text, and each `runId`, `resumeToken` and `correlationId`, becomes its field and a
 * number, such as `"runId-1"`, in the order in which they appear. Equal values get the same name, wherever they are.
 *
 * Chunks of unknown types are included. Reads the whole response, which it must not have been before.
 *
 * @param source - The response of a route, or the text of its body.
 * @throws Error when the response is not a stream, with its status and its text; StreamTruncatedError when the stream
 * was cut; StreamProtocolError when it violates the protocol; the error of a body that breaks. The last three have the
 * chunks before it as `transcript`. RangeError when `maxChunks` is no number.
 *
 * @example
 * ```ts
 * const transcript = await collectTranscript(await route.POST(request));
 * transcript.at(-1); // { type: "done" }
 * ```
 */
export async function collectTranscript<Types extends ChatTypes = ChatTypes>(
  source: Response | string,
  { maxChunks = Number.POSITIVE_INFINITY }: TranscriptOptions = {},
): Promise<StreamChunk<Types>[]> {
  checkLimitOption("maxChunks", maxChunks);
  const response = typeof source === "string" ? new Response(source, eventStream) : source;
  await checkStream(response);
  const chunks: unknown[] = [];
  const decoder = createChunkDecoder({
    maxEventBytes: Number.POSITIVE_INFINITY,
    onUnknownChunk: (chunk) => chunks.push(chunk),
  });
  const transcript = () => nameRandomValues(chunks.slice(0, maxChunks)) as StreamChunk<Types>[];
  try {
    for await (const bytes of response.body ?? []) {
      decoder.push(bytes);
      for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) chunks.push(chunk);
      if (chunks.length >= maxChunks) return transcript();
    }
    decoder.end();
  } catch (error) {
    throw Object.assign(error as Error, { transcript: transcript() });
  }
  return transcript();
}

const eventStream = { headers: { "content-type": "text/event-stream" } };

async function checkStream(response: Response): Promise<void> {
  const type = response.headers.get("content-type");
  if (response.ok && type?.startsWith("text/event-stream")) return;
  const text = await response.text();
  throw new Error(`Expected a stream; got status ${response.status}, ${type ?? "no content-type"}: ${text}`);
}

const randomFields = new Set(["runId", "resumeToken", "correlationId"]);
const uuid = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/gi;

function nameRandomValues(value: unknown): unknown {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const nameOf = (random: string, field: string): string => {
    const known = names.get(random);
    if (known !== undefined) return known;
    const count = (counts.get(field) ?? 0) + 1;
    counts.set(field, count);
    names.set(random, `${field}-${count}`);
    return `${field}-${count}`;
  };
  const visit = (found: unknown, field: string): unknown => {
    if (typeof found === "string") {
      if (names.has(found) || randomFields.has(field)) return nameOf(found, field);
      return found.replace(uuid, (random) => nameOf(random, field));
    }
    if (Array.isArray(found)) return found.map((item) => visit(item, field));
    if (found === null || typeof found !== "object") return found;
    return Object.fromEntries(Object.entries(found).map(([key, item]) => [key, visit(item, key)]));
  };
  return visit(value, "");
}
