/** Which wire a request is in. Translates nothing. */
import { ChatRequestError, describeReceived, invalidRequest } from "../route/chat-request-error.ts";
import type { RouteWire } from "./route-wire.ts";

/** @returns undefined for a request in the route's own wire. */
export const findWireOfBody = (json: unknown, wires: readonly RouteWire[] = []): RouteWire | undefined =>
  wires.find((wire) => wire.readsBody(json));

/**
 * The wire that a GET names by `?wire=` or by its path, and the session that it follows.
 *
 * @throws ChatRequestError for a wire that the route does not have: its reader could read no other one.
 */
export function findWireOfRequest(
  request: Request,
  wires: readonly RouteWire[],
): { wire?: RouteWire; sessionId?: string | undefined } {
  if (wires.length === 0) return {};
  const url = new URL(request.url);
  const { searchParams } = url;
  const name = searchParams.get("wire");
  if (name !== null) {
    const wire = wires.find((one) => one.name === name);
    if (wire === undefined) throw unknownWire(name, wires);
    return { wire, sessionId: searchParams.get("session") ?? wire.sessionOf?.(url) };
  }
  for (const wire of namesRun(request, searchParams) ? [] : wires) {
    const sessionId = wire.sessionOf?.(url);
    if (sessionId !== undefined) return { wire, sessionId };
  }
  return {};
}

function unknownWire(name: string, wires: readonly RouteWire[]): ChatRequestError {
  const expected = wires.map((wire) => JSON.stringify(wire.name)).join(" or ");
  return invalidRequest([{ path: "?wire", expected, received: describeReceived(name) }]);
}

/** A client of the route's own wire names a run or a session, whatever the path is. */
const namesRun = ({ headers }: Request, searchParams: URLSearchParams): boolean =>
  searchParams.has("run") || searchParams.has("session") || headers.has("last-event-id");

/**
 * Names the option that is missing where a body is refused because it is in another wire.
 *
 * @throws what `parse` throws, or the same error with that name.
 */
export function withWireHint<Body>(json: unknown, parse: () => Body): Body {
  try {
    return parse();
  } catch (error) {
    const hint = error instanceof ChatRequestError ? hintFor(json) : undefined;
    if (hint === undefined) throw error;
    const { code, issues } = error as ChatRequestError;
    throw new ChatRequestError(code, hint, issues);
  }
}

/** The other wires are recognised by what each of their requests has. */
function hintFor(json: unknown): string | undefined {
  const { trigger, threadId, runId } = (json ?? {}) as Record<string, unknown>;
  if (trigger === "submit-message" || trigger === "regenerate-message") {
    return describeOption("the AI SDK", "aiSDKWire", "ai-sdk");
  }
  if (typeof threadId === "string" && typeof runId === "string") {
    return describeOption("AG-UI", "agUIWire", "ag-ui");
  }
  return undefined;
}

const describeOption = (protocol: string, name: string, entry: string): string =>
  `it is a request of ${protocol}, which needs the option \`wires: [${name}]\` of createChatRoute, from @kortyx/server/${entry}`;
