/** Handlers on real sockets: loopback, an ephemeral port. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { StreamChunk } from "@kortyx/client";

export interface LiveServer {
  url: string;
  close(): Promise<void>;
}

/** A web-standard handler on Hono's Node server. */
export const listen = (handler: (request: Request) => Response | Promise<Response>): Promise<LiveServer> =>
  serve(createAdaptorServer({ fetch: handler }) as Server);

/** A listener of `node:http`. */
export const listenOnNode = (listener: RequestListener): Promise<LiveServer> => serve(createServer(listener));

async function serve(server: Server): Promise<LiveServer> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Collects a stream, and the error that it throws. */
export async function collect(stream: AsyncIterable<StreamChunk>) {
  const chunks: StreamChunk[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

/**
 * Waits for a condition that a real event brings about; otherwise fails with the name of the condition.
 *
 * @param giveUpMs - A condition that has not been met by then never will be, even on a busy machine.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  giveUpMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + giveUpMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Still waiting after ${giveUpMs} ms until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
