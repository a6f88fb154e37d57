/** AG-UI's events as a wire of a route. The mappings are in the protocol package. */
import { createAGUITranslator, fromAGUIRequest, isAGUIRequest } from "@kortyx/protocol/ag-ui";
import type { RouteWire } from "./route-wire.ts";

/**
 * The wire that clients of AG-UI speak, such as its `HttpAgent`, and TanStack's `ChatClient`.
 *
 * On a route with runs, the `runId` of a request is its idempotency key, so a DELETE with `?key=` stops the answer; a client
 * that only closes its connection leaves it to continue, unless `onDisconnect` is `"cancel"`. These clients resume nothing
 * by themselves; `?wire=ag-ui&session=` and the thread's id follow the open run from its beginning.
 *
 * @example
 * ```ts
 * const route = createChatRoute({ agent, wires: [agUIWire] });
 * ```
 */
export const agUIWire: RouteWire = {
  name: "ag-ui",
  headers: {},
  // Its clients parse every event as JSON.
  lastFrame: "",
  readsBody: isAGUIRequest,
  toRequestBody: fromAGUIRequest,
  createTranslator(body) {
    if (!isAGUIRequest(body)) return createAGUITranslator();
    const { threadId, runId, parentRunId, messages } = body;
    const continued = typeof parentRunId === "string" ? { parentRunId } : {};
    return createAGUITranslator({ threadId, runId, messages, ...continued });
  },
};
