/**
 * One of the servers: a chat route with runs in Redis, at the default settings, on a given socket. Writes down
 * which runs begin and which questions its agent gets, and drains on SIGTERM.
 */
import { appendFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createChatRoute, drain, type StreamChunk } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { createRedisRunStore } from "@kortyx/server/redis";
import { connectToRedis } from "./connect-to-redis.ts";
import { answerTo, type Question } from "./plan.ts";

export interface ServerSettings {
  socketPath: string;
  redisSocketPath: string;
  /** A line for each run that begins, written before anything else can happen. */
  journalPath: string;
  drainDeadlineMs: number;
}

/** A line of the journal. */
export type JournalLine = { runId: string; owner: string } | { asked: Question };

const settings: ServerSettings = JSON.parse(process.argv[2]!);

/** Synchronous, so that not even a crash loses a line. */
const write = (line: JournalLine) => appendFileSync(settings.journalPath, `${JSON.stringify(line)}\n`);

const route = createChatRoute({
  agent: {
    async *streamChat(messages, { signal }): AsyncGenerator<StreamChunk> {
      const question: Question = JSON.parse(messages.at(-1)!.content);
      write({ asked: question });
      try {
        for (const chunk of answerTo(question)) {
          const waitMs = chunk.type === "tool-call-result" ? question.quietMs : question.everyMs;
          await delay(waitMs, undefined, { signal });
          yield chunk;
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  },
  authorize: (request) => request.headers.get("x-user"),
  runs: {
    store: createRedisRunStore({ client: await connectToRedis(settings.redisSocketPath) }),
    onStart: ({ runId, owner }) => write({ runId, owner }),
  },
});

const server = createServer(toNodeHandler(route.fetch));
process.once("SIGTERM", async () => {
  await drain({ deadlineMs: settings.drainDeadlineMs });
  server.close(() => process.exit(0));
  setTimeout(() => server.closeAllConnections(), 1000);
});
// The game may be ended from outside: this process goes with it.
process.once("disconnect", () => process.exit(1));

// A process that was killed has left it.
rmSync(settings.socketPath, { force: true });
server.listen(settings.socketPath, () => process.send!("listening"));
