/**
 * The body of one response of Node: writes and flushes its pieces, and reports when the response takes more and when its
 * client has left. Does not know where the pieces come from.
 */
import { onNextTurn } from "../stream/next-turn.ts";
import { breakOff, isGone, type NodeResponse } from "./exchange.ts";

/** What happens to a response while its body is written. */
interface ResponseEvents {
  /** It takes more again, after `write()` has returned false. */
  onDrain(): void;
  /** It has failed, or has closed, whether or not its body was complete. May be called more than once. */
  onClose(): void;
}

export class ResponseWriter {
  readonly #res: NodeResponse;
  #hasWritten = false;

  constructor(res: NodeResponse, { onDrain, onClose }: ResponseEvents) {
    this.#res = res;
    res.on("drain", onDrain);
    res.on("error", onClose);
    res.on("close", onClose);
    onNextTurn(() => this.#flushHeaders());
  }

  /** @returns whether the response takes another piece now. */
  write(piece: string | Uint8Array): boolean {
    this.#hasWritten = true;
    try {
      const isReady = this.#res.write(piece);
      this.#res.flush?.();
      return isReady;
    } catch (error) {
      // A piece that is neither text nor bytes, or middleware that has replaced `write`.
      console.error("A response failed to take a piece of its stream:", error);
      this.breakOff();
      return false;
    }
  }

  /** The body is complete. */
  end(): void {
    this.#res.end();
  }

  /** The body is incomplete, and the client sees that. */
  breakOff(): void {
    breakOff(this.#res);
  }

  /** Headers travel with the first piece, which saves a packet, or alone when it is not written in the same turn. */
  #flushHeaders(): void {
    if (!this.#hasWritten && !this.#res.writableEnded && !isGone(this.#res)) this.#res.flushHeaders?.();
  }
}

/** @returns Resolves when the response has ended or its socket has closed. */
export const whenClosed = (res: NodeResponse): Promise<void> =>
  new Promise((resolve) => res.on("close", resolve));
