/** Servers that each break one rule of the protocol: our own route, with its requests or responses changed. */
import { type ChatAgent, createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { agent as knowing } from "./agent.ts";

export type Handler = (request: Request) => Promise<Response>;

export interface Fault {
  name: string;
  /** The checks that must fail. */
  breaks: string[];
  /** Other checks may fail, too, because they rely on the same rule. */
  isWide?: true;
  /** Only those checks run, with this patience: the fault is that something never comes. */
  timeoutMs?: number;
  /** The server has no runs. */
  isPlain?: boolean;
  handle(request: FaultyRequest, forward: Handler): Promise<Response>;
}

/** A request whose body has been read. */
export interface FaultyRequest {
  method: string;
  query: URLSearchParams;
  headers: Headers;
  body: string;
  /** The same request, with changes. */
  with(changes: Partial<Pick<FaultyRequest, "query" | "headers" | "body">>): Request;
}

/** A server without a fault. */
export function createServer(
  options: { isPlain?: boolean; agent?: ChatAgent; onDisconnect?: "continue" | "cancel" } = {},
): Handler {
  const { isPlain, agent = knowing, onDisconnect = "continue" } = options;
  const shared = { agent, heartbeatMs: 20 };
  const route = isPlain
    ? createChatRoute(shared)
    : createChatRoute({
        ...shared,
        runs: { store: createMemoryRunStore(), onDisconnect },
        authorize: () => "ann",
      });
  return route.fetch;
}

export function createFaultyServer({ isPlain = false, handle }: Pick<Fault, "isPlain" | "handle">): Handler {
  const forward = createServer({ isPlain });
  return async (request) => handle(await readRequest(request), forward);
}

async function readRequest(request: Request): Promise<FaultyRequest> {
  const { method, headers, signal } = request;
  const bytes = method === "GET" || method === "DELETE" ? undefined : await request.bytes();
  const url = new URL(request.url);
  const original = { query: url.searchParams, headers, body: bytes };
  return {
    method,
    query: url.searchParams,
    headers,
    body: bytes === undefined ? "" : Buffer.from(bytes).toString(),
    with(changes) {
      const { query, headers, body } = { ...original, ...changes };
      return new Request(`${url.origin}${url.pathname}?${query}`, {
        method,
        headers,
        signal,
        body: body ?? null,
      });
    },
  };
}

/** Changes the text of each stream, event by event. */
export const changeStreams =
  (change: (event: string) => string): Fault["handle"] =>
  async (request, forward) =>
    changeStream(await forward(request.with({})), change);

export function changeStream(response: Response, change: (event: string) => string): Response {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const changing = new TransformStream<string, string>({
    transform(piece, controller) {
      // Our server writes whole events.
      for (const event of piece.match(/[\s\S]*?\n\n/g) ?? []) controller.enqueue(change(event));
    },
  });
  const body = response
    .body!.pipeThrough(new TextDecoderStream())
    .pipeThrough(changing)
    .pipeThrough(new TextEncoderStream());
  return new Response(body, response);
}

/** Changes the headers of each response. */
export const changeHeaders =
  (change: (headers: Headers) => void): Fault["handle"] =>
  async (request, forward) => {
    const response = await forward(request.with({}));
    const headers = new Headers(response.headers);
    change(headers);
    return new Response(response.body, { status: response.status, headers });
  };

/** Changes the JSON of each refusal. */
export const changeRefusals =
  (change: (body: Record<string, unknown>, status: number) => Response): Fault["handle"] =>
  async (request, forward) => {
    const response = await forward(request.with({}));
    if (response.status < 400) return response;
    return change(await response.json(), response.status);
  };

export const json = (body: unknown, status = 200): Response => Response.json(body, { status });

/** The fields of a JSON body; none if it is something else. */
export function fieldsOf({ body }: FaultyRequest): Record<string, unknown> {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}
