/** A loopback server in place of a model's endpoint, with responses chosen by the test. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";

interface ModelRequest {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: { messages: Record<string, unknown>[]; tool_choice: string } & Record<string, unknown>;
  /** Resolves when the connection of the request has closed, from either side. */
  closed: Promise<unknown>;
}

/** The response to one request. */
export type ModelAnswer = (response: ServerResponse) => void;

/** @param answers - One for each request; the last one is also the response to all later requests. */
export async function startModelServer(...answers: ModelAnswer[]) {
  const requests: ModelRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const closed = once(response, "close");
    let text = "";
    for await (const piece of request.setEncoding("utf8")) text += piece;
    requests.push({ method, url, headers, body: JSON.parse(text), closed });
    answers[Math.min(requests.length, answers.length) - 1]!(response);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  return { baseUrl: `http://127.0.0.1:${port}/v1`, requests };
}

const eventStream = { "content-type": "text/event-stream; charset=utf-8" };

/** Events with the values as JSON, and text as it is; the response stays open. */
export const begin =
  (...events: (object | string)[]): ModelAnswer =>
  (response) => {
    response.writeHead(200, eventStream);
    for (const event of events) {
      response.write(typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`);
    }
    response.flushHeaders();
  };

/** A whole answer. */
export const answerWith =
  (...events: (object | string)[]): ModelAnswer =>
  (response) => {
    begin(...events)(response);
    response.end("data: [DONE]\n\n");
  };

/** A refusal. */
export const refuseWith =
  (status: number, body: object | string, headers: Record<string, string> = {}): ModelAnswer =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

export const delta = (fields: object) => ({ choices: [{ index: 0, delta: fields, finish_reason: null }] });
export const finish = (reason: string) => ({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
export const usage = (input: number, output: number) => ({
  choices: [],
  usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
});
