/** The AI SDK's UI Message Stream as a wire of a route. The mappings are in the protocol package. */
import {
  continuedMessageOf,
  createAISDKTranslator,
  fromAISDKRequest,
  isAISDKRequest,
} from "@kortyx/protocol/ai-sdk";
import type { RouteWire } from "./route-wire.ts";

/**
 * The wire that the AI SDK's `useChat` speaks with its `DefaultChatTransport`: UI Message Stream, version 1.
 *
 * A route with runs serves its `resume` at the path that it requests, `…/<chat id>/stream`, and at `?wire=ai-sdk&session=`:
 * the open run of the session from its beginning, or 204 if none is open. `stop()` of that transport only closes the
 * connection, which ends a run only if `onDisconnect` is `"cancel"`.
 *
 * @example
 * ```ts
 * const route = createChatRoute({ agent, wires: [aiSDKWire] });
 * ```
 */
export const aiSDKWire: RouteWire = {
  name: "ai-sdk",
  headers: { "x-vercel-ai-ui-message-stream": "v1" },
  lastFrame: "data: [DONE]\n\n",
  readsBody: isAISDKRequest,
  toRequestBody: fromAISDKRequest,
  createTranslator: (body) => createAISDKTranslator({ continuedMessage: continuedMessageOf(body) }),
  sessionOf({ pathname }) {
    const id = /\/([^/]+)\/stream\/?$/.exec(pathname)?.[1];
    return id === undefined ? undefined : decodeOrKeep(id);
  },
};

function decodeOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
