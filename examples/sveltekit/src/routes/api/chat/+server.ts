import { createChatRoute } from "@kortyx/server";
import type { RequestHandler } from "./$types";
import { agent } from "./agent";

const route = createChatRoute({ agent });

export const POST: RequestHandler = ({ request }) => route.fetch(request);
