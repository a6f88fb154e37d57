/** What has been in the log of each run, and until when its lease held: seen at the store itself. Checks only the logs. */
import type { Simulator } from "./simulator.ts";

export interface SeenLog {
  readonly runId: string;
  readonly owner: string;
  readonly key: string | undefined;
  readonly openedAt: number;
  /** As of the latest write. */
  entries: string[];
  /** The longest that it has been, before it lost its last writes. */
  longest: string[];
  leaseUntil: number;
  endedAt: number | undefined;
  /** It has lost its last writes. */
  isCut: boolean;
}

interface Write {
  hasEnded: boolean;
  /** Undefined if the lease was not renewed. */
  leaseUntil: number | undefined;
}

export class RunLogs {
  readonly #simulator: Simulator;
  readonly #fail: (problem: string) => void;
  readonly #onEnd: (log: SeenLog) => void;
  readonly #logs = new Map<string, SeenLog>();
  readonly #open = new Set<string>();

  constructor(
    simulator: Simulator,
    { fail, onEnd }: { fail: (problem: string) => void; onEnd: (log: SeenLog) => void },
  ) {
    this.#simulator = simulator;
    this.#fail = fail;
    this.#onEnd = onEnd;
  }

  get(runId: string): SeenLog | undefined {
    return this.#logs.get(runId);
  }

  all(): Iterable<SeenLog> {
    return this.#logs.values();
  }

  openRuns(): string[] {
    return [...this.#open];
  }

  /** A run was opened. */
  begin({ runId, owner, key }: { runId: string; owner: string; key: string | undefined }): void {
    if (this.#logs.has(runId)) return;
    const openedAt = this.#simulator.now;
    const fields = { endedAt: undefined, isCut: false, leaseUntil: openedAt };
    this.#logs.set(runId, { runId, owner, key, openedAt, entries: [], longest: [], ...fields });
    this.#open.add(runId);
  }

  /** @returns whether the log has grown. */
  note(runId: string, added: readonly string[], { hasEnded, leaseUntil }: Write): boolean {
    const log = this.#logs.get(runId)!;
    if (leaseUntil !== undefined) log.leaseUntil = leaseUntil;
    if (added.length > 0 && log.endedAt !== undefined) this.#fail(`${runId} was written after its end`);
    for (const entry of added) {
      this.#simulator.mix(entry);
      log.entries.push(entry);
      this.#checkEntry(log, entry);
    }
    // Until it is cut, it is the same.
    if (!log.isCut) log.longest = log.entries;
    if (hasEnded && log.endedAt === undefined) {
      log.endedAt = this.#simulator.now;
      this.#open.delete(runId);
      this.#onEnd(log);
    }
    return added.length > 0;
  }

  /** It has lost all but these entries. */
  cut(runId: string, kept: readonly string[]): void {
    const log = this.#logs.get(runId)!;
    log.entries = [...kept];
    log.endedAt = undefined;
    log.isCut = true;
    this.#open.add(runId);
  }

  /** One beginning, one terminal at the end, and one writer that writes each chunk once, in order. */
  #checkEntry({ runId, entries }: SeenLog, entry: string): void {
    const before = entries.at(-2);
    if (before !== undefined && /^\{"type":"(?:done|abort)"/.test(before)) {
      this.#fail(`${runId} continues after ${before}`);
    }
    const text = deltaOf(entry);
    if (text === undefined) return;
    if (!entries[0]!.startsWith('{"type":"run-start"')) this.#fail(`${runId} begins with ${entries[0]}`);
    const previous = before === undefined ? undefined : deltaOf(before);
    if (previous !== undefined && previous.call !== text.call) this.#fail(`${runId} has two writers`);
    if (text.number !== (previous === undefined ? 0 : previous.number + 1)) {
      this.#fail(`${runId} lacks or repeats a chunk: ${before}, then ${entry}`);
    }
  }
}

/** The text of an agent names its call and its number. */
export function deltaOf(entry: string): { call: string; number: number } | undefined {
  const found = /"delta":"(\S+)\/(\d+) "/.exec(entry);
  return found === null ? undefined : { call: found[1]!, number: Number(found[2]) };
}
