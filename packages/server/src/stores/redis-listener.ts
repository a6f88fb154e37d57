/**
 * This process's only connection that listens to Redis, for all of its runs. The store's tick finds what it misses.
 */
import { destroyConnection, type OwnConnection, openConnection, type RedisClient } from "./redis-commands.ts";

/** After this many ticks without a waiter, the listener unsubscribes from a run. */
const lingerTicks = 5;
/**
 * A connection that has not replied to a ping for this many ticks is replaced: it may have died without being closed.
 */
const silentTicks = 3;

export interface RedisListener {
  /** Whether appends to this run are, or will be, listened to. */
  has(runId: string): boolean;
  /**
   * Whether a position after this one was announced since the last call that returned true, so that an announced entry
   * that Redis has lost is looked for only once.
   */
  takeHeard(runId: string, after: number): boolean;
  /** Listens to the ends of all runs and the appends to this one. Resolves when subscribed or failed; never rejects. */
  listen(runId: string | undefined): Promise<void>;
  /** Remembers an announced position. */
  note(runId: string, lastSeq: number): void;
  /** Called about every second with the runs that have waiters. @returns whether any run is listened to. */
  tick(waitedFor: ReadonlySet<string>): boolean;
  close(): void;
}

/** @param onPosition - Called with each announced position; Infinity when the run has ended. */
export function createRedisListener(
  client: RedisClient,
  prefix: string,
  onPosition: (runId: string, lastSeq: number) => void,
): RedisListener {
  /** Runs whose appends are listened to, with the number of ticks since each last had a waiter. */
  const channels = new Map<string, number>();
  const heard = new Map<string, number>();
  /**
   * Channels being unsubscribed: a client that subscribes again in the meantime would end up without a subscription.
   */
  const leaving = new Map<string, Promise<void>>();
  let subscriber: OwnConnection | undefined;
  /** Pings without a reply. */
  let pings = 0;

  const channelOf = (runId: string) => `${prefix}log:${runId}`;

  function subscribe(): OwnConnection {
    const { connection, opened } = openConnection(client);
    pings = 0;
    const subscribed = opened.then(async () => {
      await connection.subscribe(`${prefix}ended`, (id) => onPosition(id, Number.POSITIVE_INFINITY));
    });
    return { connection, opened: subscribed };
  }

  /** The next wait listens anew, on another connection. */
  function drop(): void {
    if (subscriber !== undefined) destroyConnection(subscriber.connection);
    subscriber = undefined;
    channels.clear();
    heard.clear();
    leaving.clear();
  }

  function leave(runId: string): void {
    channels.delete(runId);
    heard.delete(runId);
    if (subscriber === undefined) return;
    const left = subscriber.connection
      .unsubscribe(channelOf(runId))
      .catch(() => {})
      .then(() => void leaving.delete(runId));
    leaving.set(runId, left);
  }

  async function ping({ connection, opened }: OwnConnection): Promise<void> {
    await opened;
    if (subscriber?.connection !== connection) return;
    pings++;
    await connection.ping();
    if (subscriber?.connection === connection) pings = 0;
  }

  return {
    has: (runId) => channels.has(runId),
    takeHeard: (runId, after) => (heard.get(runId) ?? -1) > after && heard.delete(runId),
    async listen(runId) {
      if (runId !== undefined) channels.set(runId, 0);
      subscriber ??= subscribe();
      const { connection, opened } = subscriber;
      try {
        await opened;
        if (runId === undefined) return;
        await leaving.get(runId);
        await connection.subscribe(channelOf(runId), (lastSeq) => onPosition(runId, Number(lastSeq)));
      } catch {
        if (subscriber?.connection === connection) drop();
      }
    },
    note(runId, lastSeq) {
      if (channels.has(runId)) heard.set(runId, Math.max(lastSeq, heard.get(runId) ?? -1));
    },
    tick(waitedFor) {
      for (const [runId, ticks] of channels) {
        const idleTicks = waitedFor.has(runId) ? 0 : ticks + 1;
        channels.set(runId, idleTicks);
        if (idleTicks > lingerTicks) leave(runId);
      }
      if (pings >= silentTicks) drop();
      else if (subscriber !== undefined) ping(subscriber).catch(() => {});
      return channels.size > 0;
    },
    close: drop,
  };
}
