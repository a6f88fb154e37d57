/** A TCP proxy that cuts connections on demand. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttingProxy {
  url: string;
  /**
   * Cuts one connection on both sides, before its client has read any of its answer or later. A client gives up after
   * two connections without a response, so each user is cut only once before reading an answer.
   *
   * @param which - A fraction of the connections, from 0 to below 1.
   * @returns whether there was a connection to cut.
   */
  cut(which: number): boolean;
  close(): Promise<void>;
}

interface Connection {
  downstream: Socket;
  /** The start of its answer, as `performance.now()`. */
  answeredAt: number | undefined;
  /** The user whose request is being answered. */
  user: string | undefined;
}

/** A cut loses data that the client has not read. A busy machine may need this long to read it. */
const readMs = 3_000;
const lastPiece = "0\r\n\r\n";

const isRead = ({ answeredAt }: Connection) =>
  answeredAt !== undefined && performance.now() - answeredAt > readMs;

/** @param target - `http://<host>:<port>` */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const connections = new Set<Connection>();
  /** Users who may have been cut before they read any of an answer. */
  const unanswered = new Set<string>();
  const server = createServer((downstream) => {
    const upstream = connect(Number(port), hostname);
    const connection: Connection = { downstream, answeredAt: undefined, user: undefined };
    connections.add(connection);
    downstream.on("data", (data) => {
      connection.user = /^x-user: (.*)$/im.exec(data.toString())?.[1] ?? connection.user;
      connection.answeredAt = undefined;
    });
    upstream.on("data", (data) => {
      connection.answeredAt ??= performance.now();
      // The next request, of any user, may already be on the connection.
      if (data.toString("latin1").endsWith(lastPiece)) connection.user = undefined;
    });
    for (const socket of [downstream, upstream]) {
      socket.setNoDelay();
      // An error on one side closes both.
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
      const open = [...connections].filter(
        (one) => one.user !== undefined && (isRead(one) || !unanswered.has(one.user)),
      );
      const connection = open[Math.floor(which * open.length)];
      if (connection?.user === undefined) return false;
      if (!isRead(connection)) unanswered.add(connection.user);
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
