import { createChatRoute, createMemoryRunStore, type RunStore } from "@kortyx/server";
import { createRedisRunStore } from "@kortyx/server/redis";
import { createSqliteRunStore } from "@kortyx/server/sqlite";
import { createClient } from "redis";
import { agent } from "./agent.ts";

const stores: Record<string, () => RunStore | Promise<RunStore>> = {
  memory: () => createMemoryRunStore(),
  sqlite: () => createSqliteRunStore({ path: "runs.db" }),
  async redis() {
    const client = createClient({ url: process.env.REDIS_URL }).on("error", console.error);
    return createRedisRunStore({ client: await client.connect() });
  },
};
const openStore = stores[process.env.STORE ?? "memory"]!;

export default createChatRoute({
  agent,
  // Replace with your own check: the id of the user, or null for a 401.
  authorize: () => "you",
  runs: { store: await openStore() },
});
