/**
 * Replaces the clocks, timers and random numbers of this program by those of the current simulation. To be imported before
 * what is simulated, because some modules keep the functions that they find when they load.
 */
import { createHash } from "node:crypto";
import { currentProcess, type Process, type SimEvent, type Simulator } from "./simulator.ts";

let simulator: Simulator | undefined;

/** Whose time it is. */
export function setSimulator(current: Simulator | undefined): void {
  simulator = current;
}

const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

/** Like the timers of Node, as far as the packages use them. */
class Timer {
  #event: SimEvent | undefined;

  start(label: string, delayMs: number, run: () => void, process?: null): this {
    this.#event = simulator!.schedule(label, delayMs, run, process);
    return this;
  }

  stop(): void {
    if (this.#event !== undefined) this.#event.run = undefined;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

type Callback = (...values: unknown[]) => void;

function setSimulatedTimeout(callback: Callback, delayMs = 0, ...values: unknown[]): unknown {
  // Modules that load, and what is not simulated.
  if (simulator === undefined) return realSetTimeout(callback, delayMs, ...values);
  return new Timer().start("timer", Math.max(1, delayMs), () => callback(...values));
}

function setSimulatedInterval(callback: Callback, delayMs = 0, ...values: unknown[]): unknown {
  const timer = new Timer();
  const repeat = () => {
    timer.start("interval", Math.max(1, delayMs), repeat);
    callback(...values);
  };
  return timer.start("interval", Math.max(1, delayMs), repeat);
}

/** Also runs in a process that was killed: a module waits for it with a state that the next process shares. */
function setSimulatedImmediate(callback: Callback, ...values: unknown[]): unknown {
  if (simulator === undefined) return realSetTimeout(callback, 0, ...values);
  return new Timer().start("immediate", 0, () => callback(...values), null);
}

function clearSimulated(timer: unknown): void {
  if (timer instanceof Timer) timer.stop();
  else realClearTimeout(timer as NodeJS.Timeout);
}

/** A UUID of version 4 whose bits are those of the simulation. */
function createSimulatedUUID(): string {
  const digits = Array.from({ length: 32 }, () => simulator!.int(16).toString(16));
  digits[12] = "4";
  digits[16] = "8";
  return digits.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** The time that `Date` shows when a simulation begins. */
const epochMs = Date.UTC(2026, 0, 1);

/** What the packages keep in `globalThis`, each process has for itself. */
function separateProcesses(name: string): void {
  const values = new WeakMap<Process, { incarnation: number; value: unknown }>();
  Object.defineProperty(globalThis, Symbol.for(name), {
    get() {
      const process = currentProcess.getStore();
      const found = process && values.get(process);
      return found?.incarnation === process?.incarnation ? found?.value : undefined;
    },
    set(value: unknown) {
      const process = currentProcess.getStore();
      if (process === undefined) throw new Error(`${name} was set outside of all processes.`);
      values.set(process, { incarnation: process.incarnation, value });
    },
  });
}

export function replaceGlobals(): void {
  separateProcesses("@kortyx/server/streams");

  const realNow = performance.now.bind(performance);
  const realRandom = Math.random;
  Object.assign(globalThis, {
    setTimeout: setSimulatedTimeout,
    setInterval: setSimulatedInterval,
    setImmediate: setSimulatedImmediate,
    clearTimeout: clearSimulated,
    clearInterval: clearSimulated,
    clearImmediate: clearSimulated,
  });
  performance.now = () => simulator?.now ?? realNow();
  Date.now = () => epochMs + Math.floor(simulator?.elapsed ?? 0);
  Math.random = () => (simulator?.random ?? realRandom)();
  crypto.randomUUID = createSimulatedUUID as typeof crypto.randomUUID;
  crypto.getRandomValues = ((bytes: Uint8Array) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = simulator!.int(256);
    return bytes;
  }) as typeof crypto.getRandomValues;
  // The real one replies from a thread, whenever that is.
  crypto.subtle.digest = async (_name, bytes) => {
    const digest = createHash("sha256")
      .update(bytes as Uint8Array)
      .digest();
    return digest.buffer.slice(digest.byteOffset, digest.byteOffset + digest.length) as ArrayBuffer;
  };
}
