/** Processes that serve runs, and their followers. */
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { type StreamProgram, startStreamProgram } from "../test/stream-program.ts";

/** The store of the runs: a SQLite file, a Redis, or the memory of the process. */
export interface RunStoreAddress {
  path?: string;
  /** For SQLite. */
  canHandOff?: boolean;
  socketPath?: string;
  /** The time that the store takes to open a run. */
  openMs?: number;
  /** `authorize` is `"anonymous"`. */
  isAnonymous?: boolean;
}

const main = fileURLToPath(new URL("../fixtures/run-server.mjs", import.meta.url));

/** Starts the program of `fixtures/run-server.mjs`, which the caller ends. */
export const startRunServer = (address: RunStoreAddress): Promise<StreamProgram> =>
  startStreamProgram({ main, env: { RUN_STORE: JSON.stringify(address) } });

/** Starts a run. @returns the unread response. */
export async function startRun(
  url: string,
  sessionId: string,
  words: string,
  idempotencyKey?: string,
): Promise<Response> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ messages: [{ role: "user", content: words }], sessionId, idempotencyKey }),
  });
  expect(response.status).toBe(200);
  return response;
}

export interface Follower {
  /** The received text, without comments. */
  text: string;
  /** Resolves with the time, as `performance.now()`, when the connection ends in any way. */
  over: Promise<number>;
}

/** Reads an answer as it arrives. */
export function follow(response: Response): Follower {
  const follower: Follower = { text: "", over: Promise.resolve(0) };
  const read = async () => {
    const decoder = new TextDecoder();
    try {
      for await (const piece of response.body!) {
        follower.text = (follower.text + decoder.decode(piece, { stream: true })).replaceAll(
          /^:.*\n\n/gm,
          "",
        );
      }
    } catch {
      // The server's process has exited.
    }
    return performance.now();
  };
  follower.over = read();
  return follower;
}

/** Follows the latest run of a session from its beginning. */
export async function followSession(url: string, sessionId: string): Promise<Follower> {
  const response = await fetch(`${url}?session=${sessionId}`);
  expect(response.status).toBe(200);
  return follow(response);
}
