/**
 * A chat route with runs in a SQLite file on a disk that another program fills. Sends the text that its clients
 * receive.
 */
import { rmSync, statfsSync, watch, writeFileSync } from "node:fs";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const [, , folder] = process.argv;
const path = `${folder}/runs.db`;
const store = createSqliteRunStore({ path });
const never = new Promise(() => {});
const logged = [];
console.error = (...values) => logged.push(values.map(String));

/** Lets the silent agent continue. */
let speak;
const route = createChatRoute({
  agent: {
    async *streamChat(messages) {
      const { content } = messages.at(-1);
      yield { type: "text-delta", delta: "Yes. " };
      if (content === "wait") await never;
      if (content !== "speak") return;
      await new Promise((resolve) => {
        speak = resolve;
      });
      // More than fits into the write-ahead log.
      for (let count = 0; ; count++) {
        yield { type: "text-delta", delta: `${count} `.padEnd(60_000, "x") };
      }
    },
  },
  authorize: () => "ann",
  runs: { store },
});

function post(content, sessionId = crypto.randomUUID()) {
  const body = JSON.stringify({ messages: [{ role: "user", content }], sessionId });
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  return route.fetch(new Request("http://host/", { method: "POST", body, headers }));
}

const session = (method, id) => route.fetch(new Request(`http://host/?session=${id}`, { method }));

function fill() {
  for (let size = 1024 * 1024; size >= 1024; size /= 2) {
    for (let count = 0; statfsSync(folder).bavail > 0; count++) {
      try {
        writeFileSync(`${folder}/other-${size}-${count}`, new Uint8Array(size));
      } catch {
        break;
      }
    }
  }
}

function empty() {
  for (let size = 1024 * 1024; size >= 1024; size /= 2) {
    for (let count = 0; count < 64; count++) rmSync(`${folder}/other-${size}-${count}`, { force: true });
  }
}

/** The text without comments, which belong to the connection. */
const eventsOf = async (response) => (await response.text()).replaceAll(/^:.*\n\n?/gm, "");

const ended = await eventsOf(await post("hello", "ended"));
const spoken = (await post("speak", "speaking")).text();
const waiting = (await post("wait", "waiting")).text();
fill();
speak();
const text = await spoken;
const refused = await post("hello");
const reserveEvents = [];
const watcher = watch(folder, (event, name) => name === "runs.db-reserve" && reserveEvents.push(event));
// Longer than the interval between two attempts to create the reserve.
await new Promise((resolve) => setTimeout(resolve, 300));
const refusedAgain = await post("hello");
await new Promise((resolve) => setTimeout(resolve, 50));
watcher.close();
const stopped = await session("DELETE", "waiting");
process.send({
  lastEvents: text
    .split("\n\n")
    .slice(-3, -1)
    .map((event) => event.split("\n").at(-1)),
  refusal: [refused.status, (await refused.json()).code, refused.headers.get("retry-after")],
  logged,
  refusedAgain: refusedAgain.status,
  reserveEvents,
  stop: [stopped.status, (await stopped.json()).terminal],
  follower: (await waiting).includes('"reason":"stopped"'),
  kept: (await eventsOf(await session("GET", "ended"))) === ended,
});
empty();
// Waits until the store accepts runs again.
const emptiedAt = performance.now();
let response;
do {
  await new Promise((resolve) => setTimeout(resolve, 50));
  response = await post("hello");
} while (response.status === 503);
process.send({ status: response.status, text: (await response.text()).includes("Yes. ") });
console.log(
  `A full disk had room again: ${Math.round(performance.now() - emptiedAt)} ms later, so had the store.`,
);
await store.close();

fill();
try {
  createSqliteRunStore({ path: `${folder}/another.db` });
} catch (error) {
  process.send(error.message);
}
process.disconnect();
