/** A server on loopback that answers as a provider's API does, with the events and the accidents of a script. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that the server has received. */
export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** The parsed JSON. */
  body: unknown;
  /** Resolves when the connection is closed before the answer was complete. */
  left: Promise<void>;
}

export interface ScriptedAnswer {
  /** @defaultValue 200 */
  status?: number;
  headers?: Record<string, string>;
  /** The pieces of the body, each written on its own; a function is called, and waited for, in its place. */
  pieces: (string | (() => Promise<void>))[];
  /**
   * `clean`: the response ends as if it were complete. `cut`: the socket is destroyed. `open`: nothing more comes.
   *
   * @defaultValue "clean"
   */
  end?: "clean" | "cut" | "open";
}

export interface ProviderServer extends AsyncDisposable {
  /** `http://127.0.0.1:…`, without a slash at its end. */
  url: string;
  /** In the order of their arrival. */
  requests: ReceivedRequest[];
  close(): Promise<void>;
}

/** @param answer - One answer for every request, or a function of the request and its number, from 0. */
export async function serveProvider(
  answer: ScriptedAnswer | ((request: ReceivedRequest, number: number) => ScriptedAnswer),
): Promise<ProviderServer> {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (req, res) => {
    let text = "";
    for await (const piece of req) text += piece;
    const request: ReceivedRequest = {
      method: req.method!,
      path: req.url!,
      headers: req.headers,
      body: text === "" ? undefined : JSON.parse(text),
      left: new Promise((resolve) => {
        res.on("close", () => res.writableFinished || resolve());
      }),
    };
    requests.push(request);
    const number = requests.length - 1;
    await play(typeof answer === "function" ? answer(request, number) : answer, res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, close, [Symbol.asyncDispose]: close };
}

async function play({ status = 200, headers, pieces, end = "clean" }: ScriptedAnswer, res: ServerResponse) {
  res.writeHead(status, { "content-type": "text/event-stream", ...headers });
  res.flushHeaders();
  for (const piece of pieces) {
    if (res.destroyed) return;
    if (typeof piece === "function") await piece();
    else await new Promise<void>((resolve) => res.write(piece, () => resolve()));
  }
  if (end === "clean") res.end();
  else if (end === "cut") res.destroy();
}

/** SSE frames of JSON events; one with a string `type` can also have it as its `event:`. */
export const toFrames = (
  events: unknown[],
  names: "with-names" | "without-names" = "without-names",
): string[] =>
  events.map((event) => {
    const name = names === "with-names" ? `event: ${(event as { type: string }).type}\n` : "";
    return `${name}data: ${JSON.stringify(event)}\n\n`;
  });
