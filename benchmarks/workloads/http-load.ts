/** The clients of the HTTP workloads, in a separate process: bare sockets that read as fast as possible and count. */
import { connect, type Socket } from "node:net";

/**
 * Opens connections, sends a request on each at the same moment, and responds when all have received the awaited part.
 */
export interface LoadRequest {
  port: number;
  connections: number;
  /** `first`: the first event; the connections stay open until the next request. `end`: the whole response. */
  waitFor: "first" | "end";
}

export interface LoadAnswer {
  /** From the request to the first event, in milliseconds. */
  firstMs: number[];
  bytes: number;
}

let sockets: Socket[] = [];

const open = (port: number) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.on("error", reject);
  });

async function run({ port, connections, waitFor }: LoadRequest): Promise<LoadAnswer> {
  for (const socket of sockets.splice(connections)) socket.destroy();
  // In batches, because a listening socket has a queue of limited length.
  while (sockets.length < connections) {
    const missing = Math.min(200, connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: missing }, () => open(port)))));
  }
  const answer: LoadAnswer = { firstMs: [], bytes: 0 };
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          const sentAt = performance.now();
          let isFirst = true;
          let head = "";
          socket.removeAllListeners("data");
          socket.on("data", (data: Buffer) => {
            answer.bytes += data.length;
            if (isFirst) {
              head += data.toString("latin1");
              isFirst = !head.includes("\ndata:");
              if (isFirst) return;
              answer.firstMs.push(performance.now() - sentAt);
              if (waitFor === "first") resolve();
            }
            // The last piece of a chunked body.
            if (waitFor === "end" && data.toString("latin1", data.length - 5) === "0\r\n\r\n") resolve();
          });
          socket.write("GET /chunks HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        }),
    ),
  );
  return answer;
}

process.on("message", async (request: LoadRequest | { close: true }) => {
  if ("close" in request) {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    process.send!({ firstMs: [], bytes: 0 });
  } else {
    process.send!(await run(request));
  }
});
process.on("disconnect", () => process.exit());
