/**
 * The client of a Kortyx agent, according to its documented contract: it sends all messages with each request, accepts
 * any type, answers in `metadata.resume`, and skips blocks that do not begin with `data:` and JSON that it cannot
 * parse.
 */
import type { StreamChunk, StreamChunkOf } from "@kortyx/client";

/** The parts of the newest answer that it shows. */
interface KortyxAnswer {
  text: string;
  tools: unknown[];
  objects: unknown[];
  question?: StreamChunkOf<"interrupt">;
  failure?: string;
}

export function createKortyxClient(endpoint: string, sessionId: string) {
  const messages: { role: "user" | "assistant"; content: string; metadata?: object }[] = [];
  let shown: KortyxAnswer = { text: "", tools: [], objects: [] };

  async function post(content: string, metadata?: object): Promise<void> {
    messages.push({ role: "user", content, ...(metadata && { metadata }) });
    shown = { text: "", tools: [], objects: [] };
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sessionId, messages }),
    });
    if (!response.ok || !response.body) {
      shown.failure = `Request failed with ${response.status}.`;
      return;
    }
    for await (const chunk of readChunks(response.body)) {
      show(chunk);
      if (chunk.type === "done") break;
    }
    messages.push({ role: "assistant", content: shown.text });
  }

  function show(chunk: StreamChunk): void {
    if (chunk.type === "text-delta") shown.text += chunk.delta;
    if (chunk.type === "message") shown.text += chunk.content;
    if (chunk.type === "tool-call-result") shown.tools.push(chunk.content);
    if (chunk.type === "structured-data" && chunk.kind === "final") shown.objects.push(chunk.data);
    if (chunk.type === "interrupt") shown.question = chunk;
    if (chunk.type === "error") shown.failure = chunk.message;
  }

  return {
    answer: () => shown,
    send: post,
    respond({ requestId, resumeToken: token, input }: StreamChunkOf<"interrupt">, selected: string[]) {
      const { options = [] } = input as { options?: { id: string; label: string }[] };
      const labels = selected.map((said) => options.find(({ id }) => id === said)?.label ?? said);
      return post(labels.join(", "), { resume: { token, requestId, selected } });
    },
    cancel({ requestId, resumeToken: token }: StreamChunkOf<"interrupt">, said: string) {
      return post(said, { resume: { token, requestId, cancel: true } });
    },
  };
}

async function* readChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamChunk> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream() as never) as ReadableStream<string>) {
    const blocks = `${rest}${text}`.split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      if (!block.startsWith("data:")) continue;
      const data = block.slice("data:".length).trim();
      if (data === "[DONE]") return;
      try {
        yield JSON.parse(data);
      } catch {
        // Skipped, like that client does.
      }
    }
  }
}
