/**
 * The network between clients and servers: connections that are slow, refused, cut, or hang. Each has two ends, and each end
 * learns of the other's end later.
 */
import { currentProcess, type Process, type Simulator } from "./simulator.ts";

/** A process that serves requests. */
export interface Server {
  readonly process: Process;
  /** Undefined while nothing listens. */
  handle: ((request: Request) => Promise<Response>) | undefined;
}

/** How a client reaches the servers. */
export interface Link {
  /** `refused`: requests fail. `hangs`: nothing comes, and nothing fails. */
  state: "up" | "refused" | "hangs";
}

interface Connection {
  readonly link: Link;
  readonly server: Server;
  /** Ends both sides. */
  cut(): void;
}

export class Network {
  readonly servers: Server[];
  /** Usual delay of a packet, in milliseconds. */
  delayMs = 3;
  readonly #simulator: Simulator;
  readonly #connections = new Set<Connection>();

  constructor(simulator: Simulator, servers: Server[]) {
    this.#simulator = simulator;
    this.servers = servers;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  /** Cuts the connections that match. */
  cut(matches: (connection: Connection) => boolean): void {
    for (const connection of [...this.#connections]) if (matches(connection)) connection.cut();
  }

  /** `fetch` of a client. */
  fetchOver(link: Link): (url: string | URL, init: RequestInit) => Promise<Response> {
    return (url, init) => this.#request(link, String(url), init);
  }

  #request(link: Link, url: string, init: RequestInit): Promise<Response> {
    const simulator = this.#simulator;
    const client = currentProcess.getStore() ?? null;
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const signal = init.signal!;
    if (signal.aborted) return Promise.reject(signal.reason);
    const gone = new AbortController();
    const later = (label: string, run: () => void, process: Process | null) =>
      simulator.schedule(label, simulator.delay(this.delayMs), run, process);
    let body: ReadableStreamDefaultController<Uint8Array> | undefined;
    let isOver = false;
    const connection: Connection = {
      link,
      server: simulator.pick(this.servers),
      cut: () => end(new TypeError("The connection was cut.")),
    };
    /** The client's side ends now, the server's a little later. */
    const end = (error: unknown) => {
      if (isOver) return;
      isOver = true;
      this.#connections.delete(connection);
      signal.removeEventListener("abort", onAbort);
      if (error !== undefined) {
        reject(error);
        body?.error(error);
        currentProcess.run(connection.server.process, () =>
          later("gone", () => gone.abort(error), connection.server.process),
        );
      }
    };
    const onAbort = () => end(signal.reason);
    signal.addEventListener("abort", onAbort);
    this.#connections.add(connection);
    if (link.state === "hangs") return promise;
    const { server } = connection;
    const { handle } = server;
    if (link.state === "refused" || handle === undefined) {
      later("refused", () => end(new TypeError("The connection was refused.")), client);
      return promise;
    }
    const serve = async () => {
      const request = new Request(url, { ...init, signal: gone.signal } as RequestInit);
      const response = await handle(request);
      const head = { status: response.status, headers: response.headers };
      const reader = response.body?.getReader();
      if (gone.signal.aborted) {
        reader?.cancel(gone.signal.reason).catch(() => {});
        return;
      }
      gone.signal.addEventListener("abort", () => reader?.cancel(gone.signal.reason).catch(() => {}));
      const hasBody = response.body !== null;
      later(
        `response ${response.status}`,
        () => {
          if (isOver) return;
          const stream = hasBody
            ? new ReadableStream<Uint8Array>({
                start: (controller) => {
                  body = controller;
                },
                cancel: (reason) => end(reason ?? new Error("left")),
              })
            : null;
          resolve(new Response(stream, head));
          if (hasBody) void currentProcess.run(server.process, pump);
          else end(undefined);
        },
        client,
      );
      const pump = async () => {
        for (;;) {
          const piece = await reader!.read();
          const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
          // In order, as TCP delivers; a hanging link delivers nothing more.
          later(
            "piece",
            () => {
              if (!isOver && link.state === "up") {
                if (piece.done) {
                  body!.close();
                  end(undefined);
                } else body!.enqueue(piece.value);
                arrive();
              }
            },
            null,
          );
          if (piece.done) return;
          await arrived;
        }
      };
    };
    currentProcess.run(server.process, () => {
      later("request", () => void (isOver || serve()), server.process);
    });
    return promise;
  }
}
