/**
 * The body of one Node response: writes and flushes its pieces, and reports when the response accepts more and when its
 * client has left. Does not know where the pieces come from.
 */
import { onNextTurn } from "../stream/next-turn.ts";
import { breakOff, isGone, type NodeResponse } from "./exchange.ts";

/** Events of a response while its body is written. */
interface ResponseEvents {
  /** It accepts more, after `write()` has returned false. */
  onDrain(): void;
  /** It has failed or closed, whether or not its body was complete. May be called more than once. */
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

  /** @returns whether the response accepts another piece now. */
  write(piece: string | Uint8Array): boolean {
    this.#hasWritten = true;
    try {
      const isReady = this.#res.write(piece);
      this.#res.flush?.();
      return isReady;
    } catch (error) {
      // A piece that is neither text nor bytes, or middleware that replaced `write`.
      console.error("Writing a piece of a stream to its response failed:", error);
      this.breakOff();
      return false;
    }
  }

  /** The body is complete. */
  end(): void {
    this.#res.end();
  }

  /** The body is incomplete, and the client can tell. */
  breakOff(): void {
    breakOff(this.#res);
  }

  /** Headers travel with the first piece, which saves a packet, or alone when it is not written in the same turn. */
  #flushHeaders(): void {
    if (!this.#hasWritten && !this.#res.writableEnded && !isGone(this.#res)) this.#res.flushHeaders?.();
  }
}

/** @returns A promise that resolves when the response has ended or its socket has closed. */
export const whenClosed = (res: NodeResponse): Promise<void> =>
  new Promise((resolve) => res.on("close", resolve));
