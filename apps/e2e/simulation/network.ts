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
  /** Since when it drains. */
  drainingSince: number | undefined;
}

/** How a client reaches the servers. */
export interface Link {
  /** `refused`: requests fail. `hangs`: nothing comes, and nothing fails. */
  state: "up" | "refused" | "hangs";
}

/** A connection as its server sees it. */
export interface ServedConnection {
  readonly server: Server;
  readonly openedAt: number;
  /** Undefined while the server holds it open. */
  closedAt: number | undefined;
  /** The run that it follows, once the first event has shown it. */
  runId: string | undefined;
  /** The type of the last chunk that the server sent. */
  lastType: string | undefined;
}

/** What sees everything that servers send. */
export interface NetworkObserver {
  onOpen(connection: ServedConnection): void;
  onPiece(connection: ServedConnection, text: string): void;
  onClose(connection: ServedConnection): void;
}

/** Usual delay of a packet, in milliseconds. */
const packetMs = 3;
const decoder = new TextDecoder();

/** Sends the last piece of a connection again when its client resumes. */
interface Proxy {
  lastPiece: Uint8Array | undefined;
}

interface NetworkOptions {
  observer: NetworkObserver;
  proxyRepeats: boolean;
}

export class Network {
  readonly #simulator: Simulator;
  readonly #servers: readonly Server[];
  readonly #options: NetworkOptions;
  readonly #connections = new Set<ModelConnection>();

  constructor(simulator: Simulator, servers: readonly Server[], options: NetworkOptions) {
    this.#simulator = simulator;
    this.#servers = servers;
    this.#options = options;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  /** Cuts the connections that match. */
  cut(matches: (connection: { link: Link; server: Server }) => boolean): void {
    for (const connection of [...this.#connections]) {
      if (matches(connection)) connection.end(new TypeError("The connection was cut."));
    }
  }

  /** `fetch` of a client, which reaches any of the servers; one for each stream. */
  fetchOver(link: Link): (url: string | URL, init: RequestInit) => Promise<Response> {
    const proxy = this.#options.proxyRepeats ? { lastPiece: undefined } : undefined;
    return (url, init) => {
      if (init.signal?.aborted) return Promise.reject(init.signal.reason);
      const server = this.#simulator.pick(this.#servers);
      const connection = new ModelConnection(this.#simulator, {
        ...{ link, server, proxy },
        observer: this.#options.observer,
      });
      this.#connections.add(connection);
      connection.onEnd = () => this.#connections.delete(connection);
      connection.request(String(url), init);
      return connection.response.promise;
    };
  }
}

/** One request and its response. */
class ModelConnection {
  readonly link: Link;
  readonly server: Server;
  readonly response = Promise.withResolvers<Response>();
  onEnd: () => void = () => {};
  readonly #simulator: Simulator;
  readonly #proxy: Proxy | undefined;
  readonly #observer: NetworkObserver;
  readonly #client: Process | null = currentProcess.getStore() ?? null;
  /** Aborted when the server has learned that the client's side has ended. */
  readonly #gone = new AbortController();
  /** What was sent and has not arrived; null is the end. */
  readonly #sent: (Uint8Array | null)[] = [];
  #signal: AbortSignal | undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #hasEnded = false;
  /** A packet was lost, and nothing comes any more. */
  #isDead = false;
  #hasArrived = false;

  constructor(
    simulator: Simulator,
    options: { link: Link; server: Server; proxy: Proxy | undefined; observer: NetworkObserver },
  ) {
    this.#simulator = simulator;
    this.link = options.link;
    this.server = options.server;
    this.#proxy = options.proxy;
    this.#observer = options.observer;
  }

  request(url: string, init: RequestInit): void {
    const { link, server } = this;
    const { handle, process } = server;
    this.#signal = init.signal ?? undefined;
    this.#signal?.addEventListener("abort", this.#onAbort);
    if (link.state === "hangs") return;
    if (link.state === "refused" || handle === undefined) {
      this.#later("refused", this.#client, () => this.end(new TypeError("The connection was refused.")));
      return;
    }
    const serve = async () => {
      const request = new Request(url, { ...init, signal: this.#gone.signal } as RequestInit);
      const response = await handle(request);
      if (response.status !== 200 || init.method === "DELETE") await this.#sendWhole(response);
      else this.#sendStream(response);
    };
    currentProcess.run(process, () =>
      this.#later("request", process, () => void (this.#hasEnded || serve())),
    );
  }

  /** The client's side ends now, the server's a little later if it did not end it itself. */
  end(error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.onEnd();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    if (error === undefined) return;
    this.response.reject(error);
    this.#body?.error(error);
    const { process } = this.server;
    currentProcess.run(process, () => this.#later("gone", process, () => this.#gone.abort(error)));
  }

  readonly #onAbort = (): void => this.end(this.#signal!.reason);

  #later(label: string, process: Process | null, run: () => void): void {
    this.#simulator.schedule(label, this.#simulator.delay(packetMs), run, process);
  }

  async #sendWhole(response: Response): Promise<void> {
    const { status, headers } = response;
    const text = response.body === null ? null : await response.text();
    this.#later(`response ${status}`, this.#client, () => {
      if (this.#hasEnded || this.link.state !== "up") return;
      this.end();
      this.response.resolve(new Response(text, { status, headers }));
    });
  }

  #sendStream({ headers, body }: Response): void {
    const reader = body!.getReader();
    const { signal } = this.#gone;
    const leave = () => void reader.cancel(signal.reason).catch(() => {});
    if (signal.aborted) {
      leave();
      return;
    }
    const openedAt = this.#simulator.now;
    const { server } = this;
    const served: ServedConnection = {
      server,
      openedAt,
      closedAt: undefined,
      runId: undefined,
      lastType: undefined,
    };
    this.#observer.onOpen(served);
    const close = () => {
      if (served.closedAt !== undefined) return;
      served.closedAt = this.#simulator.now;
      this.#observer.onClose(served);
    };
    signal.addEventListener("abort", () => {
      close();
      leave();
    });
    this.#later("response 200", this.#client, () => {
      if (this.#hasEnded || this.link.state !== "up") return;
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          this.#body = controller;
        },
        cancel: (reason) => this.end(reason ?? new Error("left")),
      });
      this.response.resolve(new Response(stream, { headers }));
      void currentProcess.run(server.process, () => this.#pump(reader, served).then(close));
    });
  }

  async #pump(reader: ReadableStreamDefaultReader<Uint8Array>, served: ServedConnection): Promise<void> {
    for (;;) {
      const { done, value } = await reader.read();
      if (value !== undefined) this.#observer.onPiece(served, decoder.decode(value));
      this.#sent.push(done ? null : value);
      this.#later("piece", null, () => this.#deliver());
      if (done) return;
    }
  }

  /** The next piece arrives. */
  #deliver(): void {
    if (this.#hasEnded) return;
    this.#isDead ||= this.link.state !== "up";
    if (this.#isDead) return;
    const piece = this.#sent.shift()!;
    if (piece === null) {
      this.#body!.close();
      this.end();
      return;
    }
    const proxy = this.#proxy;
    if (proxy !== undefined) {
      if (!this.#hasArrived && proxy.lastPiece !== undefined) this.#body!.enqueue(proxy.lastPiece);
      // A heartbeat is not repeated.
      if (decoder.decode(piece).includes("id: ")) proxy.lastPiece = piece;
    }
    this.#hasArrived = true;
    this.#body!.enqueue(piece);
  }
}
