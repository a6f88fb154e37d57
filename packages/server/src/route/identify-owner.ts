/**
 * Calls `authorize` of a route, and checks what it returns.
 */
import { checkOption, maxIdLength } from "@kortyx/protocol/internal";
import { errorResponse } from "../stream/error-response.ts";
import type { ChatRouteOptions } from "./chat-route.ts";

/**
 * @returns the owner, undefined if every visitor is admitted, or the response to a rejected request.
 * @throws TypeError if `authorize` returns anything else, and anything that it throws.
 */
export async function identifyOwner(
  request: Request,
  authorize: ChatRouteOptions["authorize"],
): Promise<string | undefined | Response> {
  if (authorize === undefined || authorize === "anonymous") return undefined;
  const owner = await authorize(request);
  // In untyped code, a lookup without a result may return undefined.
  if (owner === null || owner === undefined) {
    return errorResponse({ status: 401, error: "Please sign in.", code: "unauthorized" });
  }
  const isResponse = typeof owner === "object" && typeof owner.status === "number" && "headers" in owner;
  // Stores keep text as UTF-8, in which all lone surrogates are the same: two owners would become one.
  const isOwner =
    typeof owner === "string" &&
    owner.length > 0 &&
    owner.length <= maxIdLength &&
    !/\p{Surrogate}/u.test(owner);
  checkOption(
    "The result of authorize",
    isOwner || isResponse,
    `a well-formed string of 1 to ${maxIdLength} characters, a Response or null`,
    owner,
  );
  return owner;
}
