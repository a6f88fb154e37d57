/**
 * The route that the chat page talks to: a validated body in, a stream of chunks out. Knows no framework and no agent.
 */
import {
  type ChatMessage,
  type ChatRequestBody,
  ChatRequestError,
  collectBufferedStream,
  parseChatRequestBody,
  type StreamChunk,
  toSSE,
} from "@kortyx/server";

/** Anything that answers a conversation with a stream. */
export interface ChatAgent {
  streamChat(
    messages: ChatMessage[],
    options: {
      sessionId?: string | undefined;
      workflowId?: string | undefined;
      signal?: AbortSignal | undefined;
    },
  ): AsyncIterable<StreamChunk>;
}

/** Creates the handler of `POST /api/chat`. */
export function createChatHandler(agent: ChatAgent): (request: Request) => Promise<Response> {
  return async function POST(request) {
    let body: ChatRequestBody;
    try {
      body = parseChatRequestBody(await request.json());
    } catch (error) {
      return answerBadRequest(error);
    }
    const { messages, sessionId, workflowId } = body;

    if (body.stream === false) {
      const { signal } = request;
      const stream = agent.streamChat(messages, { sessionId, workflowId, signal });
      const result = await collectBufferedStream(stream);
      return Response.json(result, { status: result.error === undefined ? 200 : 500 });
    }
    // The agent stops working when the client stops reading.
    return toSSE(({ signal }) => agent.streamChat(messages, { sessionId, workflowId, signal }), {
      signal: request.signal,
    });
  };
}

/** @throws What is not the client's fault. */
function answerBadRequest(error: unknown): Response {
  if (error instanceof ChatRequestError) {
    const { message, code, status, issues } = error;
    return Response.json({ error: message, code, issues }, { status });
  }
  if (error instanceof SyntaxError) {
    const message = "Invalid chat request: the body is not JSON.";
    return Response.json({ error: message, code: "invalid-json", issues: [] }, { status: 400 });
  }
  throw error;
}
