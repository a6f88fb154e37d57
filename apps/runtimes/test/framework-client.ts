/** One request to a framework under test, over HTTP/1.1 or HTTP/2, whose body is read as it arrives. */
import { type IncomingHttpHeaders, request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import type { Readable } from "node:stream";

export interface Question {
  method?: string;
  /** The query string, including `?`. */
  query?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Reads until the text so far meets the condition. @returns the text so far. */
  readUntil(isEnough: (text: string) => boolean): Promise<string>;
  /** Reads to the end. @returns the whole text. */
  readAll(): Promise<string>;
  /** Destroys the connection. */
  leave(): void;
}

/** Resolves when the headers have arrived. */
export async function ask(
  protocol: "http1" | "http2",
  origin: string,
  { method = "POST", query = "", headers = {}, body }: Question,
): Promise<Answer> {
  const path = `/api/chat${query}`;
  const text = body === undefined ? undefined : JSON.stringify(body);
  // Sends a content type even without a body, like our client: otherwise SvelteKit treats the request as a form.
  const fields = { "content-type": "application/json", ...headers };
  if (protocol === "http1") {
    return new Promise((resolve, reject) => {
      const request = requestHttp1(origin + path, { method, headers: fields, agent: false });
      request.on("error", reject);
      request.on("response", (response) => {
        resolve(toAnswer(response.statusCode!, response.headers, response, () => request.destroy()));
      });
      request.end(text);
    });
  }
  return new Promise((resolve, reject) => {
    const session = connect(origin);
    session.on("error", reject);
    const stream = session.request(
      { ":method": method, ":path": path, ...fields },
      // By default, a DELETE has no body.
      { endStream: text === undefined },
    );
    stream.on("error", reject);
    stream.on("close", () => session.close());
    stream.on("response", (response) => {
      resolve(toAnswer(response[":status"]!, response, stream, () => session.destroy()));
    });
    if (text !== undefined) stream.end(text);
  });
}

function toAnswer(status: number, headers: IncomingHttpHeaders, body: Readable, leave: () => void): Answer {
  body.setEncoding("utf8");
  const pieces = body[Symbol.asyncIterator]();
  let text = "";
  const readUntil = async (isEnough: (text: string) => boolean) => {
    while (!isEnough(text)) {
      const piece = await pieces.next();
      if (piece.done) break;
      text += piece.value;
    }
    return text;
  };
  return {
    status,
    headers,
    readUntil,
    readAll: () => readUntil(() => false),
    leave() {
      body.on("error", () => {});
      leave();
    },
  };
}
