import { createChatRoute } from "@kortyx/server";
import { agent } from "./agent.ts";

export default createChatRoute({ agent });
