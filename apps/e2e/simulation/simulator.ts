/**
 * Simulated time: every timer, store reply and delivery of a program is an event here, and the next one to run is drawn at
 * random from those that are due about now. Knows nothing of what it simulates.
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** The real clock's turn, taken before it is replaced: all microtasks have run when it comes. */
const realSetImmediate = setImmediate;
const turn = (): Promise<void> => new Promise((resolve) => realSetImmediate(resolve));

/** Events of this many milliseconds compete for the next step, as the timers of a busy process do. */
const raceMs = 2;

/** A place for one process after the other. What one has scheduled never happens after it was killed. */
export interface Process {
  readonly name: string;
  /** Counts the processes in this place: raised when one is killed. */
  incarnation: number;
  /** It does nothing before this time, as if it were stopped by a signal. */
  suspendedUntil?: number | undefined;
}

export interface SimEvent {
  at: number;
  /** Breaks ties, so that a run can be repeated. */
  readonly order: number;
  readonly label: string;
  /** The event happens only while this process lives; null for one that always happens. */
  readonly process: Process | null;
  readonly incarnation: number | undefined;
  /** The process that has scheduled it, and which one in its place. */
  readonly context: Process | undefined;
  readonly contextIncarnation: number | undefined;
  /** Undefined once it was cancelled, or has happened. */
  run: (() => void) | undefined;
}

/** The process that the current code belongs to. */
export const currentProcess = new AsyncLocalStorage<Process>();

/** All times are multiples of this, so that they are exact wherever the clock begins. */
const tick = 1 / 1024;

export class Simulator {
  /** The time in milliseconds. */
  now: number;
  /** The time at the beginning. */
  readonly begin: number;
  steps = 0;
  /** Set to stop before the next step. */
  isOver = false;
  /** Of every step, so that two runs can be compared. */
  hash = 0x811c9dc5;
  /** Called after each step. */
  onStep: (event: SimEvent) => void = () => {};
  readonly random: () => number;
  readonly #heap: SimEvent[] = [];
  #order = 0;
  /** The event that happens now. */
  #current: SimEvent | undefined;

  /** @param begin - Whole milliseconds. What has a memory of an earlier simulation must find that long ago. */
  constructor(random: () => number, begin = 0) {
    this.random = random;
    this.now = this.begin = begin;
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now - this.begin;
  }

  /** The number of events that are to come, without those that were cancelled or belong to dead processes. */
  pending(): SimEvent[] {
    return this.#heap.filter(isPending);
  }

  /**
   * Schedules `run`, in the context of the current process.
   *
   * @param process - It does not happen if this one has been killed; null for an event that always happens. The current
   * one by default.
   * @param incarnation - Which process in that place, if it may be another one than now.
   */
  schedule(
    label: string,
    delayMs: number,
    run: () => void,
    process?: Process | null,
    incarnation?: number,
  ): SimEvent {
    const context = currentProcess.getStore();
    const owner = process === undefined ? (context ?? null) : process;
    const event: SimEvent = {
      at: this.now + Math.max(0, Math.round(delayMs / tick) * tick),
      order: this.#order++,
      label,
      process: owner,
      incarnation: incarnation ?? this.incarnationOf(owner),
      context,
      contextIncarnation: this.incarnationOf(context),
      run,
    };
    this.#push(event);
    return event;
  }

  /** What a process does after it was killed belongs to it, not to its successor. */
  incarnationOf(process: Process | null | undefined): number | undefined {
    const current = this.#current;
    return current?.context === process ? current?.contextIncarnation : process?.incarnation;
  }

  /** A whole number from 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor(this.random() * below);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.int(items.length)]!;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A delay whose usual values are short, and some of them long. */
  delay(usualMs: number): number {
    return this.random() ** 3 * 4 * usualMs;
  }

  /** Runs events until none is left, one of them is later than `untilMs` after the beginning, or the simulation is over. */
  async run(untilMs: number): Promise<void> {
    const until = this.begin + untilMs;
    await turn();
    while (!this.isOver) {
      const event = this.#take(until);
      if (event === undefined) break;
      if (event.at > this.now) this.now = event.at;
      this.steps++;
      this.mix(event.label);
      const run = event.run!;
      event.run = undefined;
      this.#current = event;
      if (event.context === undefined) run();
      else currentProcess.run(event.context, run);
      await turn();
      this.onStep(event);
    }
    this.#current = undefined;
    if (!this.isOver && Number.isFinite(until)) this.now = Math.max(this.now, until);
  }

  /** Cancels the other events. */
  keep(isKept: (event: SimEvent) => boolean): void {
    for (const event of this.#heap) if (!isKept(event)) event.run = undefined;
  }

  /** Adds a text and the current time to the hash (FNV-1a). */
  mix(text: string): void {
    let { hash } = this;
    for (let index = 0; index < text.length; index++)
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    this.hash = Math.imul(hash ^ (this.elapsed / tick), 0x01000193);
  }

  /** One of the events that are due about now. */
  #take(untilMs: number): SimEvent | undefined {
    const first = this.#pop();
    if (first === undefined) return undefined;
    if (first.at > untilMs) {
      this.#push(first);
      return undefined;
    }
    const due = [first];
    const limit = Math.min(first.at + raceMs, untilMs);
    while (due.length < 4) {
      const next = this.#pop();
      if (next === undefined) break;
      if (next.at > limit) {
        this.#push(next);
        break;
      }
      due.push(next);
    }
    const [chosen] = due.splice(this.int(due.length), 1);
    for (const event of due) this.#push(event);
    return chosen;
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): SimEvent | undefined {
    for (;;) {
      const event = this.#popAny();
      if (event === undefined) return undefined;
      if (!isPending(event)) continue;
      const { suspendedUntil = 0 } = event.process ?? {};
      if (event.at >= suspendedUntil || this.now >= suspendedUntil) return event;
      event.at = suspendedUntil;
      this.#push(event);
    }
  }

  #popAny(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

const isBefore = (a: SimEvent, b: SimEvent): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

const isPending = ({ run, process, incarnation }: SimEvent): boolean =>
  run !== undefined && process?.incarnation === incarnation;
