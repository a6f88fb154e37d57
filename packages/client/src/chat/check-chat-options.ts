/**
 * Rejects invalid chat options at creation, instead of at the first request.
 */
import {
  checkFunctionOption,
  checkLimitOption,
  checkObjectOption,
  checkOption,
} from "@kortyx/protocol/internal";
import { streamFromRoute } from "../route/stream-from-route.ts";
import type { ChatOptions } from "./chat.ts";

/** @throws TypeError that names the option, what was expected and what was received. */
export function checkChatOptions(options: ChatOptions): void {
  checkObjectOption("The options of a chat", options, "an object with an endpoint or a transport");
  const { transport, sessionId, history } = options;
  const isTransport = !transport || typeof transport.start === "function";
  checkOption("transport", isTransport, "an object with a start() method", transport);
  checkInitialMessages(options);
  checkOption("sessionId", !sessionId || typeof sessionId === "string", "a string", sessionId);
  checkFunctionOption("selectMessages", options.selectMessages);
  checkFunctionOption("onChunk", options.onChunk);
  checkFunctionOption("uploadFile", options.uploadFile);
  checkLimitOption("maxHistoryBytes", options.maxHistoryBytes);
  for (const [name, tool] of Object.entries(options.tools ?? {})) {
    if (tool === undefined) continue;
    const execute = tool?.execute;
    checkOption(`tools.${name}.execute`, typeof execute === "function", "a function", execute);
  }
  checkFunctionOption("onFinish", options.onFinish);
  checkFunctionOption("onConnectionChange", options.onConnectionChange);
  const isHistory = !history || history === "text" || history === "parts";
  checkOption("history", isHistory, '"text" or "parts"', history);
  // Validates the route options; the stream requests nothing before it is read.
  if (!transport) streamFromRoute(options);
}

/** @throws TypeError if they are neither an array nor absent. They may arrive after the chat was created. */
export function checkInitialMessages({ initialMessages: messages }: ChatOptions): void {
  checkOption("initialMessages", !messages || Array.isArray(messages), "an array of messages", messages);
}
