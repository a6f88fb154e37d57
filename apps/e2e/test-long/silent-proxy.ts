/** A TCP proxy on loopback whose connections can go silent without being closed, as those of a dead NAT do. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from "node:net";

interface ProxiedConnection {
  near: Socket;
  far: Socket;
  /** Whether it has sent SUBSCRIBE to Redis. */
  isSubscriber: boolean;
  /** When it was opened, as `performance.now()`. */
  openedAt: number;
}

export interface SilentProxy {
  port: number;
  /** Every connection so far, the oldest first. */
  connections: ProxiedConnection[];
  /** From now on, these connections carry nothing, in either direction. */
  silence(which?: ProxiedConnection[]): void;
  close(): void;
}

/** @param target - Where the connections go. */
export async function startSilentProxy(target: NetConnectOpts): Promise<SilentProxy> {
  const connections: ProxiedConnection[] = [];
  const server = createServer((near) => {
    const far = connect(target);
    const connection = { near, far, isSubscriber: false, openedAt: performance.now() };
    connections.push(connection);
    near.on("data", (bytes) => {
      connection.isSubscriber ||= /subscribe/i.test(bytes.toString("latin1"));
    });
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    silence(which = connections) {
      for (const { near, far } of which) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
    close() {
      server.close();
      for (const { near, far } of connections) {
        near.destroy();
        far.destroy();
      }
    },
  };
}
