import fastifyStatic from "@fastify/static";
import { createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import Fastify from "fastify";
import { agent } from "./agent.ts";

const route = createChatRoute({ agent });

const app = Fastify();
app.all("/api/chat", toNodeHandler(route.fetch));
app.register(fastifyStatic, { root: `${import.meta.dirname}/dist` });

console.info(await app.listen({ port: Number(process.env.PORT ?? 3000) }));
