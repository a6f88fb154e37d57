/**
 * Refuses options of a chat that could only fail at its first question.
 */
import { checkFunctionOption, checkObjectOption, checkOption } from "@kortyx/protocol/internal";
import { streamFromRoute } from "../route/stream-from-route.ts";
import type { ChatOptions } from "./chat.ts";

/** @throws TypeError that names the option, what was expected and what came. */
export function checkChatOptions(options: ChatOptions): void {
  checkObjectOption("The options of a chat", options, "an object with an endpoint or a transport");
  const { transport, initialMessages: messages, sessionId } = options;
  const isTransport = !transport || typeof transport.start === "function";
  checkOption("transport", isTransport, "an object with a start() method", transport);
  checkOption("initialMessages", !messages || Array.isArray(messages), "an array of messages", messages);
  checkOption("sessionId", !sessionId || typeof sessionId === "string", "a text", sessionId);
  checkFunctionOption("selectMessages", options.selectMessages);
  checkFunctionOption("onChunk", options.onChunk);
  checkFunctionOption("onFinish", options.onFinish);
  // Requests nothing before it is read, but refuses what a route cannot be asked with.
  if (!transport) streamFromRoute(options);
}
