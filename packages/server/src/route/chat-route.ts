/**
 * What a chat route is: its options and its handlers. Types only; `create-chat-route.ts` creates one.
 */
import type { AssistantUIMessage, ChatMessage, ChatRequestBody, ChatTypes } from "@kortyx/protocol";
import type { ChatRunOptions } from "../runs/run-options.ts";
import type { CollectLimits } from "../stream/collect-stream.ts";
import type { StreamFinish } from "../stream/stream-options.ts";
import type { StreamResponseOptions } from "../stream/to-sse.ts";
import type { RouteWire } from "../wires/route-wire.ts";
import type { ChatAgent, RouteAgentOptions } from "./chat-agent.ts";
import type { CorsOptions } from "./cors.ts";
import type { ChatRequestLimits } from "./read-chat-request.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** Why a client made a request. It comes from the client, as does everything in a request. */
export interface RequestPurpose {
  /** That of the request. Absent there: `continue` if the request continues an answer, and otherwise `send`. */
  trigger: NonNullable<ChatRequestBody["trigger"]>;
  /** The answer that is replaced (`regenerate`) or continued. Absent if the client does not name it. */
  messageId: string | undefined;
}

/** How the answer to a request ended, and the request itself. */
export interface ChatFinish<Types extends ChatTypes = ChatTypes> extends StreamFinish<Types>, RequestPurpose {
  /** What `authorize` returned. */
  owner: string | undefined;
  /** The `sessionId` of the request. */
  sessionId: string | undefined;
  /** The user's latest message. Absent if the answer continues an earlier one. */
  input: ChatMessage<Types> | undefined;
  /** The conversation, as the request has it. */
  messages: ChatMessage<Types>[];
}

/** The options of a route for a request, apart from those of its stream. */
export interface ChatRouteOptions<Types extends ChatTypes = ChatTypes>
  extends Omit<StreamResponseOptions, "signal" | "status" | "onFinish">,
    ChatRequestLimits {
  /**
   * Called once when an answer has ended, for any reason: the place to save it. An error that it throws is logged and has
   * no other effect. A buffered answer (`stream: false`) that exceeds `maxBufferedBytes` counts as `cancelled`. An error
   * together with `runs`, which have their own.
   */
  onFinish?: ((finish: ChatFinish<Types>) => unknown) | undefined;
  /**
   * Folds the chunks of the answer into the `message` of `onFinish`. That of `runs` always has it.
   *
   * @defaultValue true if there is an `onFinish`
   */
  collectMessage?: boolean | undefined;
  /** The agent that answers. It receives a `body` and a `signal` with every request. */
  agent: {
    /** Answers the conversation, whose last message is the newest. May return chunks, or a promise of them. */
    streamChat(
      messages: ChatMessage<Types>[],
      options: RouteAgentOptions<Types>,
    ): ReturnType<ChatAgent<Types>["streamChat"]>;
  };
  /**
   * Returns the owner of the request, before the body is read. `null` and `undefined` mean 401; a `Response`, returned
   * or thrown, is the response; anything else but a well-formed string of 1 to 256 characters is a masked 500. Required
   * for a route with runs, because a run belongs to its owner. `"anonymous"` admits every visitor, and runs have no
   * owner: the unguessable id of a run, or its idempotency key, is enough to follow and stop it; sessions cannot be
   * looked up, and neither `onActiveRun` nor `maxOpenRuns` has an effect.
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
  /**
   * At least 32 characters that only the application's servers know. The route then signs the `resumeToken` of every
   * question, and of every call that the client runs, and accepts no answer to another: 403 `invalid-resume-token` if the
   * question or the call is not this server's, of this conversation and this owner, 410 `interrupt-expired` if it has
   * expired (after 7 days unless it has its own time), and 409 `already-answered` if `loadMessage` shows that it was
   * answered. The agent receives its own tokens back. A token proves which question is answered, not that the answer is
   * true, nor, without `loadMessage`, that it is the first one.
   *
   * Of several secrets, the first signs and all verify: put a new one in front, and remove the old one when its tokens have
   * expired.
   *
   * @defaultValue tokens reach the agent unchecked, which must verify them itself
   */
  resumeSecret?: string | readonly string[];
  /**
   * Returns the assistant message with this id, from the application's own storage, if it belongs to this owner and this
   * session. Called when a request continues an answer, after its tokens are verified and before the agent is called: the
   * `message` of `onFinish` is then this one with what was added. Also called when a client of `wires` follows such a run
   * with a GET. An error that it throws is a masked 500. While an `onFinish` of this process has the message to save, the
   * request waits for it, at most 10 s.
   *
   * A route without `runs` then begins every stream with `run-start`, so that a client knows each message by the id that
   * `onFinish` has saved it under.
   *
   * @defaultValue the `message` of `onFinish` holds only what was added, under the same id
   */
  loadMessage?:
    | ((
        messageId: string,
        request: Pick<ChatFinish, "owner" | "sessionId">,
      ) => LoadedMessage<Types> | PromiseLike<LoadedMessage<Types>>)
    | undefined;
  /** Checks what the application itself defines in a request. @defaultValue nothing is checked */
  schemas?: RouteSchemas<Types> | undefined;
  /** Admits pages of other origins. @defaultValue none */
  cors?: CorsOptions | undefined;
  /**
   * Other protocols that clients of this route may speak: `aiSDKWire` of `@kortyx/server/ai-sdk` for the AI SDK's
   * `useChat`, `agUIWire` of `@kortyx/server/ag-ui` for AG-UI and TanStack. A request is answered in the protocol that its
   * body is in, from the same agent and the same runs.
   *
   * @defaultValue only the route's own
   */
  wires?: readonly RouteWire[] | undefined;
  /** The largest buffered answer (`stream: false`), in bytes of its stream; a larger one is a 500. @defaultValue 8 MiB */
  maxBufferedBytes?: CollectLimits["maxBytes"];
  /**
   * Keeps every answer in a store, so that it outlives its connection: GET resumes it, DELETE stops it, and a repeated
   * POST with the same idempotency key attaches to it. Their `onFinish` takes the place of the route's.
   */
  runs?: ChatRunOptions<Types> | undefined;
}

/** The schemas of a route: those of zod 4, valibot, arktype, or any other Standard Schema. */
export interface RouteSchemas<Types extends ChatTypes = ChatTypes> {
  /**
   * Checks the `context` of a request, and reads it: the agent receives the schema's output. A request without a context
   * is checked too, as `undefined`. A context that the schema rejects is a 400 `invalid-request` that names the fields,
   * but neither their values nor the schema's messages. An error that the schema throws is a masked 500, and a `Response`
   * that it throws is the response.
   */
  context?: StandardSchema<Types["context"]> | undefined;
}

/** A stored message; `null` or `undefined` if there is none. */
export type LoadedMessage<Types extends ChatTypes = ChatTypes> = AssistantUIMessage<Types> | null | undefined;

/** The owner's id, `null` for a request without an owner, or the response itself. */
export type AuthorizeResult = string | Response | null;

/** Handles a request with one method, or with any. */
export type RouteHandler = (request: Request) => Promise<Response>;

/** Handlers by method, for Next.js, and one for all methods, for Hono, Bun, Deno and Workers. */
export interface ChatRoute {
  /** Streams an answer, or returns it as one JSON value for `stream: false`. */
  POST: RouteHandler;
  /** Resumes a run. 405 without `runs`. */
  GET: RouteHandler;
  /** Stops a run. 405 without `runs`. */
  DELETE: RouteHandler;
  /** 405. */
  HEAD: RouteHandler;
  /** Responds to preflights: 204, with the allowed methods. */
  OPTIONS: RouteHandler;
  /** Handles every method. In Hono: `app.all("/api/chat", (c) => route.fetch(c.req.raw))`. */
  fetch: RouteHandler;
}
