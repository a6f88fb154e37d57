/**
 * Calls `authorize` of a route, and checks what it returns.
 */
import { checkOption, maxIdLength } from "@kortyx/protocol/internal";
import { errorResponse } from "../stream/error-response.ts";
import type { ChatRouteOptions } from "./chat-route.ts";

/**
 * @returns the owner, undefined where every visitor is admitted, or the response to a request that is refused.
 * @throws TypeError when `authorize` returns anything else, and what it throws.
 */
export async function identifyOwner(
  request: Request,
  authorize: ChatRouteOptions["authorize"],
): Promise<string | undefined | Response> {
  if (authorize === undefined || authorize === "anonymous") return undefined;
  const owner = await authorize(request);
  // A lookup without a result is undefined in code that no compiler has checked.
  if (owner === null || owner === undefined) {
    return errorResponse({ status: 401, error: "Please sign in.", code: "unauthorized" });
  }
  const isResponse = typeof owner === "object" && typeof owner.status === "number" && "headers" in owner;
  const isOwner = typeof owner === "string" && owner.length > 0 && owner.length <= maxIdLength;
  checkOption(
    "What authorize returns",
    isOwner || isResponse,
    `a text of 1 to ${maxIdLength} characters, a Response or null`,
    owner,
  );
  return owner;
}
