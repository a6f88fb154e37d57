/** What must be true of each connection that follows a run, as its server sees it. */
import type { Disturbances } from "./disturbances.ts";
import type { NetworkObserver, ServedConnection, Server } from "./network.ts";
import type { RunLogs } from "./run-logs.ts";
import type { Simulator } from "./simulator.ts";

/** A follower whose run has lost its writer notices it within this time, … */
const noticeMs = 3_000;
/** … and is sent away within this time when its process drains. */
const handOffMs = 1_000;

interface ConnectionWorld {
  simulator: Simulator;
  logs: RunLogs;
  disturbances: Disturbances;
  leaseMs: number;
  canHandOff: boolean;
  fail(problem: string): void;
}

const terminals = new Set(["done", "abort", "error"]);

export class ConnectionChecks implements NetworkObserver {
  readonly #world: ConnectionWorld;
  readonly #open = new Set<ServedConnection>();

  constructor(world: ConnectionWorld) {
    this.#world = world;
  }

  onOpen(connection: ServedConnection): void {
    this.#open.add(connection);
  }

  /** `[DONE]` follows a terminal, and nothing else. */
  onPiece(connection: ServedConnection, text: string): void {
    const id = /^id: (\S+)\.\d+$/m.exec(text);
    if (id !== null) connection.runId = id[1];
    for (const [, data] of text.matchAll(/^data: (.*)$/gm)) {
      if (data !== "[DONE]") connection.lastType = /"type":"([^"]+)"/.exec(data!)?.[1];
      else if (!terminals.has(connection.lastType ?? "")) {
        this.#world.fail(`${connection.runId} was sent [DONE] after ${connection.lastType}`);
      }
    }
  }

  onClose(connection: ServedConnection): void {
    this.#open.delete(connection);
    this.#check(connection);
  }

  /** Its process was killed. */
  onKill(server: Server): void {
    for (const connection of [...this.#open]) {
      if (connection.server !== server) continue;
      connection.closedAt = this.#world.simulator.now;
      this.onClose(connection);
    }
  }

  checkAll(): void {
    for (const connection of this.#open) this.#check(connection);
  }

  #check({ server, openedAt, closedAt = this.#world.simulator.now, runId }: ServedConnection): void {
    const { logs, disturbances, leaseMs, canHandOff, fail } = this.#world;
    const log = runId === undefined ? undefined : logs.get(runId);
    if (log === undefined) return;
    const expiredAt = Math.max(log.leaseUntil, openedAt);
    const until = Math.min(closedAt, log.endedAt ?? Number.POSITIVE_INFINITY);
    // A server that is suspended notices nothing.
    if (disturbances.has("suspension", { from: openedAt, to: closedAt })) return;
    const isDisturbed = disturbances.has("store", { from: expiredAt - leaseMs, to: until });
    const allowedMs = noticeMs + (isDisturbed ? leaseMs : 0);
    if (until - expiredAt > allowedMs) {
      fail(`a follower of ${runId} was held for ${Math.round(until - expiredAt)} ms after its lease`);
    }
    const { drainingSince } = server;
    if (!canHandOff || drainingSince === undefined || openedAt >= drainingSince) return;
    if (closedAt - drainingSince > handOffMs) fail(`a follower of ${runId} was not handed off`);
  }
}
