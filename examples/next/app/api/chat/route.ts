import { createChatRoute } from "@kortyx/server";
import { agent } from "./agent";

export const { POST, OPTIONS } = createChatRoute({ agent });
