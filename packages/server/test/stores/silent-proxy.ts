/** A TCP proxy on loopback whose connections can stop carrying bytes without being closed, as those of a dead NAT do. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface SilentProxy {
  port: number;
  /** Connections that still carry bytes. */
  readonly live: number;
  /** From now on, these connections carry nothing, in either direction; new ones do. */
  silence(which?: "all" | "subscribers"): void;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
  isSilent: boolean;
  isSubscriber: boolean;
}

/** @param socketPath - Where the connections go. */
export async function startSilentProxy(socketPath: string): Promise<SilentProxy> {
  const pairs = new Set<Pair>();
  const server = createServer((near) => {
    const far = connect(socketPath);
    const pair: Pair = { near, far, isSilent: false, isSubscriber: false };
    pairs.add(pair);
    near.on("data", (bytes) => {
      if (/subscribe/i.test(bytes.toString("latin1"))) pair.isSubscriber = true;
      if (!pair.isSilent) far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (!pair.isSilent) near.write(bytes);
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        if (!pair.isSilent || socket === near) other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get live() {
      return [...pairs].filter(({ isSilent }) => !isSilent).length;
    },
    silence(which = "all") {
      for (const pair of pairs) pair.isSilent ||= which === "all" || pair.isSubscriber;
    },
    async close() {
      server.close();
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      await once(server, "close");
    },
  };
}
