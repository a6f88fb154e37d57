/** A TCP proxy that cuts connections when it is told to. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttingProxy {
  url: string;
  /**
   * Cuts one connection, on both of its sides.
   *
   * @param which - A fraction of the open connections, from 0 to below 1.
   * @returns whether one was open.
   */
  cut(which: number): boolean;
  close(): Promise<void>;
}

/** @param target - `http://<host>:<port>` */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<[Socket, Socket]>();
  const server = createServer((downstream) => {
    const upstream = connect(Number(port), hostname);
    const pair: [Socket, Socket] = [downstream, upstream];
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay();
      // One side that fails takes the other one with it.
      socket.on("error", () => {});
      socket.once("close", () => {
        pairs.delete(pair);
        for (const side of pair) side.destroy();
      });
    }
    downstream.pipe(upstream).pipe(downstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut(which) {
      const pair = [...pairs][Math.floor(which * pairs.size)];
      pair?.[0].resetAndDestroy();
      return pair !== undefined;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const [downstream] of pairs) downstream.destroy();
      }),
  };
}
