/**
 * The names of keys and channels in Redis. In a cluster, the part in braces selects the node, so that everything that one
 * script uses is on the same node.
 *
 * | key | type | what |
 * | --- | --- | --- |
 * | `format` | string | {@link formatNumber} |
 * | `format:earlier` | string | the number before it, while runs of that format may be left |
 * | `{<place>}:run:<id>` | hash | the run without its log |
 * | `{<place>}:log:<id>` | stream | entry `seq` has the id `<seq + 1>-0`, because 0-0 is not an id |
 * | `{<place>}:open:<owner>` | set | the ids of the owner's open runs, and some that have ended |
 * | `{<place>}:key:<bytes of owner>:<owner>:<key>` | string | the id of the run with this idempotency key |
 * | `{<place>}:session:<bytes of owner>:<owner>:<session>` | string | the id of the session's latest run |
 * | `{<place>}:stop:<owner>` | sorted set | keys that were stopped before their runs were opened, scored by expiry |
 *
 * The channel with the name of a log announces its entries and its end; the one with `:end` after it only its end. All
 * keys expire, and only `format` stays: those of a run after its retention, extended with each renewal while it is open.
 */

import { checkOption } from "@kortyx/protocol/internal";
import type { Announced } from "./redis-listener.ts";
import { placeInId } from "./run-id.ts";
import type { OpenRun } from "./run-store.ts";

/** The version of this layout. A process refuses a store with a newer one. Format 1 had no places. */
export const formatNumber = 2;

/** The names of an owner's keys, in the order in which `open` expects them. */
export interface OwnerKeys {
  open: string;
  key: string;
  session: string;
  stops: string;
}

export class RedisKeys {
  /** Places are on several nodes. Format 1 never was: it needs one node for all of its keys. */
  readonly #isSpread: boolean;
  readonly #prefix: string;

  /** @param isCluster - Whether they are for a cluster. */
  constructor(prefix: string, isCluster: boolean) {
    this.#isSpread = isCluster && !/^[^{]*\{[^}]+\}/.test(prefix);
    this.#prefix = prefix;
  }

  /** The number of the format, and the mark of earlier runs if there can be any. */
  get format(): string[] {
    const format = `${this.#prefix}format`;
    return this.#isSpread ? [format] : [format, `${format}:earlier`];
  }

  /** The keys of a run. One with the id of an earlier version is where that version has put it. */
  ofRun(runId: string): [run: string, log: string] {
    const start = this.#startOf(placeInId(runId));
    return [`${start}run:${runId}`, `${start}log:${runId}`];
  }

  /** The channel that announces the entries of a run, or only its end. */
  channelOf(runId: string, announced: Announced): string {
    const [, log] = this.ofRun(runId);
    return announced === "end" ? `${log}:end` : log;
  }

  /** @param place - Where the owner's runs are; undefined for those of format 1. */
  ofOwner(
    place: string | undefined,
    { owner, key = "", sessionId = "" }: Pick<OpenRun, "owner"> & Partial<Pick<OpenRun, "key" | "sessionId">>,
  ): OwnerKeys {
    const start = this.#startOf(place);
    // The length keeps apart owners and names that contain colons.
    const named = `${new TextEncoder().encode(owner).length}:${owner}`;
    return {
      open: `${start}open:${owner}`,
      key: `${start}key:${named}:${key}`,
      session: `${start}session:${named}:${sessionId}`,
      stops: `${start}stop:${owner}`,
    };
  }

  #startOf(place: string | undefined): string {
    if (place !== undefined) return `${this.#prefix}{${place}}:`;
    // A client may name anything as a run, and the keys of even an unknown one must be on one node.
    return this.#isSpread ? `${this.#prefix}{unknown}:` : this.#prefix;
  }
}

/**
 * Puts the prefix of the client before that of the store. Redis takes the first part in braces of a key as its hash tag,
 * if it is not empty; otherwise the whole key.
 */
export function toPrefix(keyPrefix: string, given: string): string {
  const prefix = typeof given === "string" ? keyPrefix + given : given;
  const isUsable = typeof given === "string" && !/^[^{]*\{\}/.test(prefix);
  checkOption("prefix", isUsable, 'a string without "{}", where a hash tag would be empty', prefix);
  return prefix;
}
