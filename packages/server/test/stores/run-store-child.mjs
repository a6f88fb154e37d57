/**
 * Another process with a store of the same runs. Calls the methods that its parent requests, and sends their result or
 * the text of their error. Ends when its store is closed, because nothing else keeps it alive.
 */
import { Redis } from "ioredis";
import { createClient } from "redis";
import { createRedisRunStore } from "../../src/redis.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const {
  path,
  socketPath,
  prefix,
  hasTicks = true,
  dateOffsetMs = 0,
  library = "redis",
  ...options
} = JSON.parse(process.argv[2]);
const readDate = Date.now;
Date.now = () => readDate() + dateOffsetMs;
// Only announcements wake waiting calls.
if (!hasTicks) globalThis.setInterval = () => undefined;
let client;
if (library === "ioredis") {
  client = new Redis({ path: socketPath, lazyConnect: true, disconnectTimeout: 3_600_000 });
} else if (socketPath !== undefined) {
  client = createClient({ socket: { path: socketPath } });
  client.on("error", () => {});
  await client.connect();
}
const store = client
  ? createRedisRunStore({ client, prefix, ...options })
  : createSqliteRunStore({ path, ...options });
const never = new AbortController().signal;

process.on("message", async ({ id, method, values }) => {
  const reply = { id };
  try {
    if (method === "wait") values.push(never);
    reply.value = await store[method](...values);
  } catch (error) {
    reply.error = String(error);
  }
  process.send(reply);
  if (method !== "close") return;
  client?.destroy?.();
  // Lets the replies to waiting calls be sent first.
  setImmediate(() => process.disconnect());
});
process.send("ready");
