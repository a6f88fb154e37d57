/** A TCP proxy that cuts connections on demand. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttingProxy {
  url: string;
  /**
   * Cuts one connection, on both of its sides: before its request is answered, or in the middle of its answer. A client
   * gives up a question that two connections have not answered, so each user is cut only once before an answer.
   *
   * @param which - A fraction of the connections, from 0 to below 1.
   * @returns whether there was one to cut.
   */
  cut(which: number): boolean;
  close(): Promise<void>;
}

interface Connection {
  downstream: Socket;
  isAnswered: boolean;
  /** Who makes the requests. */
  user: string | undefined;
}

/** @param target - `http://<host>:<port>` */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const connections = new Set<Connection>();
  /** Users who were cut before an answer. */
  const unanswered = new Set<string | undefined>();
  const server = createServer((downstream) => {
    const upstream = connect(Number(port), hostname);
    const connection: Connection = { downstream, isAnswered: false, user: undefined };
    connections.add(connection);
    downstream.on("data", (data) => {
      connection.user = /^x-user: (.*)$/im.exec(data.toString())?.[1] ?? connection.user;
      connection.isAnswered = false;
    });
    upstream.on("data", () => {
      connection.isAnswered = true;
    });
    for (const socket of [downstream, upstream]) {
      socket.setNoDelay();
      // One side that fails takes the other one with it.
      socket.on("error", () => {});
      socket.once("close", () => {
        connections.delete(connection);
        downstream.destroy();
        upstream.destroy();
      });
    }
    downstream.pipe(upstream).pipe(downstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut(which) {
      const open = [...connections].filter(({ isAnswered, user }) => isAnswered || !unanswered.has(user));
      const connection = open[Math.floor(which * open.length)];
      if (connection === undefined) return false;
      if (!connection.isAnswered) unanswered.add(connection.user);
      connection.downstream.resetAndDestroy();
      return true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const { downstream } of connections) downstream.destroy();
      }),
  };
}
