/**
 * Starts the demo: reads the environment, chooses the agent and the store, listens, ends at once on SIGINT, and drains on SIGTERM.
 */
import { mkdirSync } from "node:fs";
import type { Server } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { type ChatAgent, drain, type RunStore, type StreamChunk } from "@kortyx/server";
import { createRedisRunStore } from "@kortyx/server/redis";
import { createSqliteRunStore } from "@kortyx/server/sqlite";
import { createClient } from "redis";
import { createDocumentationAgent } from "../agent/documentation-agent.ts";
import { createModelAgent, type ModelEndpoint, readModelEndpoint } from "../agent/model-agent.ts";
import { createSearch, readPages } from "../agent/search.ts";
import { createApp } from "./app.ts";

const demoFolder = new URL("../../", import.meta.url);
const contentFolder = fileURLToPath(new URL("content/", demoFolder));
const pageFolder = fileURLToPath(new URL("dist/page/", demoFolder));
const runsFile = fileURLToPath(new URL(".data/runs.db", demoFolder));

/** How long answers may continue after SIGTERM. */
const drainDeadlineMs = 5000;
const hostname = process.env.HOST || "127.0.0.1";
const isPort = (value: number) => Number.isInteger(value) && value <= 65_535;
const port = readNumber("PORT", 3000, "a whole number from 0 to 65535", isPort);
const tokensPerSecond = readNumber("DEMO_TOKENS_PER_SECOND", 40, "a number, 0 or more", Number.isFinite);

/** A question to try without the page. */
const example = JSON.stringify({ messages: [{ role: "user", content: "How does a stream end?" }] });

const endpoint = readEndpoint();

const documents = readPages(contentFolder);
const search = createSearch(documents);
const agent = endpoint
  ? createModelAgent({ endpoint, search })
  : createDocumentationAgent({ search, tokensPerSecond });
const store = await createRunStore().catch((error) =>
  exitWith(`The demo cannot keep its answers: ${error.message}`),
);
/** Set where this is one process of several. */
const processName = process.env.DEMO_PROCESS && `process ${process.env.DEMO_PROCESS} (pid ${process.pid})`;
const app = createApp({
  agent: processName ? nameWriter(agent, processName) : agent,
  store,
  resumeSecret: process.env.DEMO_RESUME_SECRET || undefined,
  documents,
  pageFolder,
});
const fetch = processName ? nameReader(app.fetch, processName) : app.fetch;
const server = createAdaptorServer({ fetch }) as Server;

server.once("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EADDRINUSE")
    exitWith(`The demo cannot listen on ${hostname}:${port}: ${error.message}`);
  exitWith(
    `Port ${port} is in use. Choose another one: PORT=${port + 1} pnpm demo (or PORT=0 for a free one).`,
  );
});

server.listen(port, hostname, () => {
  const address = server.address();
  const actualPort = typeof address === "object" && address !== null ? address.port : port;
  // Browsers treat localhost as a secure origin, and it is what people type.
  const name = hostname === "127.0.0.1" || hostname === "0.0.0.0" ? "localhost" : hostname;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${actualPort}`;
  console.log(`Demo: ${url}`);
  console.log(`curl -N ${url}/api/chat -H 'content-type: application/json' -d '${example}'`);
  if (endpoint !== undefined) console.log(`Model: ${endpoint.model} at ${endpoint.baseUrl}`);
});

// Ctrl+C ends everything at once; a service manager lets open answers finish.
process.once("SIGINT", () => close(130));
process.once("SIGTERM", async () => {
  await drain({ deadlineMs: drainDeadlineMs });
  close(0);
});

function close(exitCode: number): void {
  server.close(() => process.exit(exitCode));
  if (exitCode !== 0) server.closeAllConnections();
  else server.closeIdleConnections();
  // For clients that have stopped reading: nothing else ends their connections.
  setTimeout(() => server.closeAllConnections(), 1000);
}

/**
 * A SQLite file that survives restarts, or Redis for several processes.
 *
 * @throws The error of the store's own client when the file or the server cannot be reached.
 */
async function createRunStore(): Promise<RunStore> {
  const { REDIS_URL, DEMO_RUNS_FILE } = process.env;
  if (REDIS_URL) {
    const client = createClient({ url: REDIS_URL, disableOfflineQueue: true });
    // The client reconnects on its own; without a listener its errors would end the process.
    client.on("error", (error) => console.error(`Redis: ${error.message}`));
    await client.connect();
    return createRedisRunStore({ client });
  }
  const path = DEMO_RUNS_FILE || runsFile;
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  return createSqliteRunStore({ path });
}

/** In a cluster, answers begin with the name of the process that writes them. */
function nameWriter(agent: ChatAgent, name: string): ChatAgent {
  return {
    async *streamChat(messages, options) {
      yield { type: "metadata", metadata: { process: name } };
      yield* (await agent.streamChat(messages, options)) as AsyncIterable<StreamChunk>;
    },
  };
}

/** In a cluster, every response names the process that sends it. */
function nameReader(fetch: typeof app.fetch, name: string): typeof app.fetch {
  return async (...parameters) => {
    const response = await fetch(...parameters);
    response.headers.set("x-demo-process", name);
    return response;
  };
}

/** Reads a number >= 0 from the environment; an empty variable counts as unset. */
function readNumber(name: string, fallback: number, expected: string, isValid: (value: number) => boolean) {
  const text = process.env[name]?.trim();
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!(value >= 0 && isValid(value))) exitWith(`${name} must be ${expected}; got ${JSON.stringify(text)}.`);
  return value;
}

function readEndpoint(): ModelEndpoint | undefined {
  try {
    return readModelEndpoint(process.env);
  } catch (error) {
    exitWith((error as Error).message);
  }
}

function exitWith(message: string): never {
  console.error(message);
  process.exit(1);
}
