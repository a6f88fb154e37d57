/**
 * The route of a Kortyx agent, according to its documented contract: unknown keys of a message are refused, and those
 * of the body ignored. It prints its events itself, so that its side uses none of our code.
 */
import type { ChatMessage, StreamChunk } from "@kortyx/server";
import type { KortyxAgent } from "./trip-agent.ts";

const messageKeys = ["role", "content", "id", "timestamp", "metadata"];

export const createKortyxRoute =
  (agent: KortyxAgent) =>
  async (request: Request): Promise<Response> => {
    try {
      const { messages, sessionId, workflowId, context } = await request.json();
      for (const message of messages as ChatMessage[]) {
        const unknown = Object.keys(message).filter((key) => !messageKeys.includes(key));
        if (unknown.length > 0) throw new Error(`Unrecognized keys: ${JSON.stringify(unknown)}`);
      }
      const chunks = await agent.streamChat(messages, { sessionId, workflowId, context });
      return new Response(toEvents(chunks), {
        headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
      });
    } catch (error) {
      return Response.json({ error: (error as Error).message }, { status: 400 });
    }
  };

function toEvents(chunks: AsyncIterable<StreamChunk>): ReadableStream<Uint8Array> {
  const events = printEvents(chunks);
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await events.return();
    },
  });
}

async function* printEvents(chunks: AsyncIterable<StreamChunk>): AsyncGenerator<string, void> {
  for await (const chunk of chunks) yield `data: ${JSON.stringify(chunk)}\n\n`;
  yield "data: [DONE]\n\n";
}
