/** A TCP proxy on loopback whose connections can fall silent without being closed, like those of a dead NAT. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from "node:net";

interface ProxiedConnection {
  readonly near: Socket;
  readonly far: Socket;
  /** When it was opened, as `performance.now()`. */
  readonly openedAt: number;
  isOpen: boolean;
  /** It no longer carries anything, in either direction. */
  isSilent: boolean;
  /** Whether it has sent SUBSCRIBE to Redis. */
  isSubscriber: boolean;
}

export interface SilentProxy {
  port: number;
  /** Every connection so far, oldest first. */
  connections: ProxiedConnection[];
  /** The number of open connections that still carry bytes. */
  readonly live: number;
  /** Silences the open connections, or only those with a subscription; new ones carry bytes. */
  silence(which?: "all" | "subscribers"): void;
  close(): Promise<void>;
}

/** @param target - The address that connections are forwarded to. */
export async function startSilentProxy(target: NetConnectOpts): Promise<SilentProxy> {
  const connections: ProxiedConnection[] = [];
  const server = createServer((near) => connections.push(openConnection(near, connect(target))));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    get live() {
      return connections.filter(({ isOpen, isSilent }) => isOpen && !isSilent).length;
    },
    silence(which = "all") {
      for (const connection of connections) {
        connection.isSilent ||= which === "all" || connection.isSubscriber;
      }
    },
    async close() {
      server.close();
      for (const { near, far } of connections) {
        near.destroy();
        far.destroy();
      }
      await once(server, "close");
    },
  };
}

function openConnection(near: Socket, far: Socket): ProxiedConnection {
  const openedAt = performance.now();
  const connection = { near, far, openedAt, isOpen: true, isSilent: false, isSubscriber: false };
  near.on("data", (bytes) => {
    connection.isSubscriber ||= /subscribe/i.test(bytes.toString("latin1"));
    if (!connection.isSilent) far.write(bytes);
  });
  far.on("data", (bytes) => {
    if (!connection.isSilent) near.write(bytes);
  });
  for (const socket of [near, far]) socket.on("error", () => {});
  near.on("close", () => {
    connection.isOpen = false;
    far.destroy();
  });
  far.on("close", () => {
    // The client of a silent connection does not notice that its server has gone.
    if (connection.isSilent) return;
    connection.isOpen = false;
    near.destroy();
  });
  return connection;
}
