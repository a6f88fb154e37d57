/**
 * One of the servers: a chat route with runs in Redis, at the default settings, on a given socket. Records the runs
 * that begin and the questions that its agent receives, and drains on SIGTERM.
 */
import { appendFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createChatRoute, drain, type StreamChunk } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { createRedisRunStore } from "@kortyx/server/redis";
import { connectToRedis, type RedisAddress } from "./connect-to-redis.ts";
import { answerTo, type Question } from "./plan.ts";

export interface ServerSettings {
  socketPath: string;
  redis: RedisAddress;
  /** The file that receives a line per run and per question, written before anything else can happen. */
  journalPath: string;
  drainDeadlineMs: number;
}

/** A line of the journal. */
export type JournalLine = { runId: string; owner: string } | { asked: Question };

const settings: ServerSettings = JSON.parse(process.argv[2]!);

/** Synchronous, so that even a crash loses no line. */
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
    store: createRedisRunStore({ client: await connectToRedis(settings.redis) }),
    onStart: ({ runId, owner }) => write({ runId, owner }),
  },
});

const server = createServer(toNodeHandler(route.fetch));
process.once("SIGTERM", async () => {
  await drain({ deadlineMs: settings.drainDeadlineMs });
  server.close(() => process.exit(0));
  setTimeout(() => server.closeAllConnections(), 1000);
});
// If the game is ended from outside, this process ends with it.
process.once("disconnect", () => process.exit(1));

// A killed process leaves its socket file.
rmSync(settings.socketPath, { force: true });
server.listen(settings.socketPath, () => process.send!("listening"));
