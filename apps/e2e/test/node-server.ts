/** A listener of `node:http` on a real socket: loopback, an ephemeral port. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { LiveServer } from "./live-server.ts";

export async function listenOnNode(listener: RequestListener): Promise<LiveServer> {
  const server = createServer(listener);
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
