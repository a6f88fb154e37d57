/**
 * The route that every framework serves. The question is the command for its agent, because a test may run in another
 * process than the route.
 */
import { type ChatRoute, createChatRoute, createMemoryRunStore } from "@kortyx/server";

export interface FrameworkRouteOptions {
  /** Receives the agent's reports. */
  report: (event: string) => void;
  /** For a server without CORS of its own. */
  hasOwnCors?: boolean;
  /** Called before the route responds, in the context of its request. */
  onAuthorize?: (request: Request) => unknown;
}

/** The origin of the pages in the tests. */
export const pageOrigin = "https://app.example";

/** A route that answers with runs if the request has the header `x-runs`. */
export function createFrameworkRoute({ report, hasOwnCors, onAuthorize }: FrameworkRouteOptions): ChatRoute {
  let release: () => void = () => {};
  const options = {
    agent: {
      async *streamChat(
        messages: { content: string }[],
        { signal }: { signal: AbortSignal },
      ): AsyncGenerator<{ type: "text-delta"; delta: string } | { type: "done" }> {
        const said = messages.at(-1)!.content;
        if (said === "fail") throw new Error("password=hunter2");
        yield { type: "text-delta", delta: said };
        if (said === "fail later") throw new Error("password=hunter2");
        if (said === "hold") {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        }
        if (said === "release") release();
        if (said === "wait") {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          report("aborted");
          return;
        }
        yield { type: "done" };
      },
    },
    async authorize(request: Request) {
      await onAuthorize?.(request);
      if (request.headers.has("x-refuse")) throw new Response("Please sign in.", { status: 401 });
      return "ann";
    },
    ...(hasOwnCors && { cors: { origin: pageOrigin } }),
  };
  const plain = createChatRoute(options);
  const withRuns = createChatRoute({ ...options, runs: { store: createMemoryRunStore() } });
  const handle =
    (method: keyof ChatRoute) =>
    (request: Request): Promise<Response> =>
      (request.headers.has("x-runs") ? withRuns : plain)[method](request);
  return {
    POST: handle("POST"),
    GET: handle("GET"),
    DELETE: handle("DELETE"),
    HEAD: handle("HEAD"),
    OPTIONS: handle("OPTIONS"),
    fetch: handle("fetch"),
  };
}
