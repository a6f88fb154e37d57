/**
 * One request to a server under test, over HTTP/1.1 or HTTP/2, on its own connection. Exposes the body piece by piece, as
 * it arrives.
 */
import { type IncomingHttpHeaders, request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import { pipeline, type Readable } from "node:stream";
import { constants, createGunzip } from "node:zlib";

/** Where a request goes. */
export interface Destination {
  protocol: "http1" | "http2";
  origin: string;
  /** The certificate to trust; always set over HTTP/2. */
  certificate?: string | undefined;
}

export interface ClientResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** The decompressed body. Reads nothing before it is requested. Throws if the body was visibly cut off. */
  pieces: AsyncGenerator<string, void>;
  /** Destroys the connection, as when a client is gone. */
  leave(): void;
}

export interface RequestOptions {
  method?: string | undefined;
  /** Destroys the connection when aborted, even before the headers have arrived. */
  signal?: AbortSignal | undefined;
}

/** Resolves when the headers have arrived. */
export function openRequest(
  destination: Destination,
  { method = "GET", signal }: RequestOptions = {},
): Promise<ClientResponse> {
  return destination.protocol === "http2"
    ? openHttp2(destination, method, signal)
    : openHttp1(destination, method, signal);
}

function openHttp1(
  { origin }: Destination,
  method: string,
  signal: AbortSignal | undefined,
): Promise<ClientResponse> {
  return new Promise((resolve, reject) => {
    // As a browser; without an agent, Node would send `connection: close`.
    const headers = { "accept-encoding": "gzip", connection: "keep-alive" };
    const request = requestHttp1(origin, { method, headers, agent: false, ...(signal && { signal }) });
    request.on("error", reject);
    request.on("response", (response) => {
      const isCompressed = response.headers["content-encoding"] === "gzip" && method !== "HEAD";
      resolve({
        status: response.statusCode!,
        headers: response.headers,
        pieces: readText(isCompressed ? gunzip(response) : response),
        leave: () => request.destroy(),
      });
    });
    request.end();
  });
}

function gunzip(body: Readable): Readable {
  // Flushes everything decompressed so far at once. Errors reach its reader.
  return pipeline(body, createGunzip({ flush: constants.Z_SYNC_FLUSH }), () => {});
}

function openHttp2(
  { origin, certificate }: Destination,
  method: string,
  signal: AbortSignal | undefined,
): Promise<ClientResponse> {
  return new Promise((resolve, reject) => {
    const session = connect(origin, { ca: certificate! });
    session.on("error", reject);
    signal?.addEventListener("abort", () => session.destroy());
    const stream = session.request({ ":method": method, ":path": "/" });
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      // Does nothing once the headers have arrived.
      reject(new Error("The stream was closed before the headers arrived."));
    });
    stream.on("response", (headers) => {
      resolve({
        status: headers[":status"]!,
        headers,
        pieces: readText(stream),
        leave: () => session.destroy(),
      });
    });
    stream.end();
  });
}

async function* readText(body: Readable): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  for await (const bytes of body) yield decoder.decode(bytes, { stream: true });
}
