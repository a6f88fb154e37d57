/**
 * What a chat route is: its options and its handlers. Only types: `create-chat-route.ts` makes one.
 */
import type { ChatMessage } from "@kortyx/protocol";
import type { ChatRunOptions } from "../runs/run-options.ts";
import type { CollectLimits } from "../stream/collect-stream.ts";
import type { StreamFinish } from "../stream/stream-options.ts";
import type { StreamResponseOptions } from "../stream/to-sse.ts";
import type { ChatAgent, RouteAgentOptions } from "./chat-agent.ts";
import type { CorsOptions } from "./cors.ts";
import type { ChatRequestLimits } from "./read-chat-request.ts";

/** How the answer to a request has ended, and what was asked. */
export interface ChatFinish extends StreamFinish {
  /** What `authorize` returned. */
  owner: string | undefined;
  /** Of the request. */
  sessionId: string | undefined;
  /** What the user said: the newest of their messages. */
  input: ChatMessage | undefined;
  /** The conversation that the agent was given. */
  messages: ChatMessage[];
}

/** What a route does with a request, beside the options of each stream. */
export interface ChatRouteOptions
  extends Omit<StreamResponseOptions, "signal" | "status" | "onFinish">,
    ChatRequestLimits {
  /**
   * Called once when a stream has ended, in whatever way: the place to save the answer. What it throws is logged and
   * harms nothing. Not called for an answer in one piece (`stream: false`), nor with `runs`, which have their own.
   */
  onFinish?: ((finish: ChatFinish) => unknown) | undefined;
  /** Folds the chunks that were sent into the `message` of `onFinish`. @defaultValue true where there is an `onFinish` */
  collectMessage?: boolean | undefined;
  agent: {
    streamChat(messages: ChatMessage[], options: RouteAgentOptions): ReturnType<ChatAgent["streamChat"]>;
  };
  /**
   * Returns the owner of the request, before the body is read. `null` and `undefined` mean 401; a `Response`, returned or
   * thrown, is the response; anything else that is not a text of 1 to 256 characters is a masked 500. A route with runs must have it, because
   * a run belongs to its owner. `"anonymous"` admits every visitor, and runs have no owner: the id of a run, or its
   * idempotency key, neither of which can be guessed, is all that is needed to follow and stop it; it has no session, and
   * there may be as many open runs as visitors.
   *
   * @defaultValue every request is admitted
   */
  authorize?: "anonymous" | ((request: Request) => AuthorizeResult | Promise<AuthorizeResult>) | undefined;
  /**
   * The roles that messages from a client may have. A `system` message from a client would instruct the agent in the
   * application's name.
   *
   * @defaultValue `["user", "assistant"]`
   */
  allowedRoles?: ChatMessage["role"][] | undefined;
  /** Admits pages of other origins. @defaultValue none */
  cors?: CorsOptions | undefined;
  /** The largest answer to `stream: false`, in bytes. @defaultValue 8 MiB */
  maxBufferedBytes?: CollectLimits["maxBytes"];
  /**
   * Keeps every answer in a store, so that it outlives its connection: GET resumes it, DELETE stops it, and a repeated
   * POST with the same idempotency key attaches to it. Their `onFinish` takes the place of the route's.
   */
  runs?: ChatRunOptions | undefined;
}

/** The name of the owner, `null` for a request without one, or the response itself. */
export type AuthorizeResult = string | Response | null;

/** Handles a request of one method, or of every one. */
export type RouteHandler = (request: Request) => Promise<Response>;

/** Handlers by method, as Next.js wants them, and one for all of them, as Hono, Bun, Deno and Workers do. */
export interface ChatRoute {
  POST: RouteHandler;
  GET: RouteHandler;
  DELETE: RouteHandler;
  HEAD: RouteHandler;
  OPTIONS: RouteHandler;
  fetch: RouteHandler;
}
