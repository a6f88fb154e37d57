/** Our chat route with the answer, and requests to it. */
import { type ChatRoute, createChatRoute, type RouteWire } from "../../packages/server/dist/index.js";
import { answerChunks } from "../workloads/answer.ts";
import { createSource } from "../workloads/sources.ts";

export function createRoute(wires: RouteWire[]): ChatRoute {
  return createChatRoute({ agent: { streamChat: () => createSource(answerChunks, "burst16") }, wires });
}

export const postOf =
  (body: object): (() => Request) =>
  () =>
    new Request("http://localhost/api/chat", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });

export const postOwn = postOf({ sessionId: "s1", messages: [{ role: "user", content: "Hi" }] });

/** Node's streams are iterable, which the DOM types do not have yet. */
export function bodyOf({ ok, status, body }: Response): AsyncIterable<unknown> {
  if (!ok || body === null) throw new Error(`Status ${status}.`);
  return body as unknown as AsyncIterable<unknown>;
}
