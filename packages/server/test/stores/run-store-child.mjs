/**
 * Another process with a store of the same runs. Calls the methods that it is told to, and answers with what they
 * resolve to, or with the words of the error. Ends when its store is closed, because nothing else keeps it alive.
 */
import { createClient } from "redis";
import { createRedisRunStore } from "../../src/redis.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const {
  path,
  socketPath,
  prefix,
  hasTicks = true,
  dateOffsetMs = 0,
  ...options
} = JSON.parse(process.argv[2]);
const readDate = Date.now;
Date.now = () => readDate() + dateOffsetMs;
// Whoever waits is woken by what is announced alone.
if (!hasTicks) globalThis.setInterval = () => undefined;
let client;
if (socketPath !== undefined) {
  client = createClient({ socket: { path: socketPath } });
  client.on("error", () => {});
  await client.connect();
}
const store = client
  ? createRedisRunStore({ client, prefix, ...options })
  : createSqliteRunStore({ path, ...options });
const never = new AbortController().signal;

process.on("message", async ({ id, method, values }) => {
  const answer = { id };
  try {
    if (method === "wait") values.push(never);
    answer.value = await store[method](...values);
  } catch (error) {
    answer.error = String(error);
  }
  process.send(answer);
  if (method !== "close") return;
  client?.destroy();
  // When the answers to those who were waiting are on their way, too.
  setImmediate(() => process.disconnect());
});
process.send("ready");
