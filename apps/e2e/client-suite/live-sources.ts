/**
 * Routes whose sources never end by themselves, sent with `toSSE` as in an application, and the state of those sources.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { StreamChunk } from "@kortyx/server";
import { toSSE } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { type SuiteRequest, sendJson } from "./send-answer.ts";
import type { SourceState } from "./source-state.ts";

/** The text of each chunk of the fast source. */
const padding = "x".repeat(4 * 1024);
/** The fast source stops here, so that a client that reads ahead of its consumer does not use up the memory. */
const maxChunks = 64 * 1024;

export function createSourceRoutes() {
  const states = new Map<string, SourceState>();

  async function* produce(
    kind: string,
    state: SourceState,
    signal: AbortSignal,
  ): AsyncGenerator<StreamChunk> {
    state.active++;
    try {
      while (state.produced < maxChunks) {
        state.produced++;
        yield { type: "text-delta", delta: kind === "fast" ? padding : "a" };
        if (kind === "idle") return await untilAborted(signal);
        if (kind === "ticking") await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } finally {
      state.active--;
      state.released++;
    }
  }

  const handle = toNodeHandler((request) => {
    const query = new URL(request.url).searchParams;
    const state: SourceState = { produced: 0, active: 0, released: 0 };
    states.set(query.get("case")!, state);
    return toSSE(({ signal }) => produce(query.get("kind")!, state, signal), { signal: request.signal });
  });

  return {
    "/source": ({ req, res }: { req: IncomingMessage; res: ServerResponse }) => handle(req, res),

    async "/sources"({ id, res }: SuiteRequest) {
      sendJson(res, states.get(id));
    },
  };
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
