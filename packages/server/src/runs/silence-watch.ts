/** Notices when the source of a run is silent for too long. Decides nothing about the run. */
import { startTimer, type Timer, unref } from "../stream/start-timer.ts";

export interface WatchedSource {
  /** A chunk has been requested from the source. Only then is its silence its own. */
  readonly isRequested: boolean;
  /** The source has been silent for the whole time. */
  onSilence(): void;
}

export class SilenceWatch {
  readonly #source: WatchedSource;
  readonly #limitMs: number;
  #since = 0;
  #timer: Timer | undefined;
  #hasEnded = false;

  /** @param limitMs - Milliseconds; `Infinity` watches nothing. */
  constructor(source: WatchedSource, limitMs: number) {
    this.#source = source;
    this.#limitMs = limitMs;
  }

  start(): void {
    if (this.#hasEnded) return;
    this.#startTimer(this.#limitMs);
    this.reset();
  }

  /** A chunk came, or is requested. */
  reset(): void {
    // The clock is read for each chunk: not without a timer.
    if (this.#timer !== undefined) this.#since = performance.now();
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  /** One timer for many chunks: when it fires, it waits for the rest of the time since the last one. */
  #startTimer(delayMs: number): void {
    // Does not keep a process alive that has nothing else to do.
    this.#timer = unref(startTimer(() => this.#check(), delayMs));
  }

  #check(): void {
    const leftMs = this.#source.isRequested ? this.#since + this.#limitMs - performance.now() : this.#limitMs;
    if (leftMs > 0) this.#startTimer(leftMs);
    else this.#source.onSilence();
  }
}
