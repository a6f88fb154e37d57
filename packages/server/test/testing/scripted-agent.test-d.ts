/** Scripts with the application's own types; checked by the compiler only. */
import type { ChatTypes } from "@kortyx/protocol";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";

interface AppTypes extends ChatTypes {
  chunks: { type: "acme-stock"; left: number };
}

const agent = createScriptedAgent<AppTypes>([
  { type: "text-delta", delta: "Hi" },
  { type: "acme-stock", left: 3 },
  Promise.resolve(),
  new Error("no"),
]);
createChatRoute<AppTypes>({ agent });

// @ts-expect-error: this type of chunk has another field
createScriptedAgent<AppTypes>([{ type: "acme-stock", right: 3 }]);
