/**
 * The one connection of this process that listens to Redis, for all of its runs. Whatever it misses is found by the
 * tick of the store.
 */
import { destroyConnection, type OwnConnection, openConnection, type RedisClient } from "./redis-commands.ts";

/** After this many ticks without a waiter, a run is not listened to any more. */
const lingerTicks = 5;
/** A connection that has not answered a ping for this many ticks is replaced: it may have died without being closed. */
const silentTicks = 3;

export interface RedisListener {
  /** Whether appends to this run are listened to, or will be. */
  has(runId: string): boolean;
  /**
   * Whether a position after this one was announced since the last call that returned true, so that an announced
   * entry which Redis has lost is looked for only once.
   */
  takeHeard(runId: string, after: number): boolean;
  /** Listens to the ends of all runs, and to the appends to this one. Resolves when it does, or cannot; never rejects. */
  listen(runId: string | undefined): Promise<void>;
  /** Keeps a position that was announced. */
  note(runId: string, lastSeq: number): void;
  /** Called about every second, with the runs that are waited for. @returns whether anything is listened to. */
  tick(waitedFor: ReadonlySet<string>): boolean;
  close(): void;
}

/** @param tell - Called with each announced position; Infinity when the run has ended. */
export function createRedisListener(
  client: RedisClient,
  prefix: string,
  tell: (runId: string, lastSeq: number) => void,
): RedisListener {
  /** Runs whose appends are listened to, and how many ticks ago each last had a waiter. */
  const channels = new Map<string, number>();
  const heard = new Map<string, number>();
  /** Channels that are being left: a client that subscribes again in the meantime would end without a subscription. */
  const leaving = new Map<string, Promise<void>>();
  let subscriber: OwnConnection | undefined;
  /** Pings that have not been answered. */
  let pings = 0;

  const channelOf = (runId: string) => `${prefix}log:${runId}`;

  function subscribe(): OwnConnection {
    const { connection, opened } = openConnection(client);
    pings = 0;
    const subscribed = opened.then(async () => {
      await connection.subscribe(`${prefix}ended`, (id) => tell(id, Number.POSITIVE_INFINITY));
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
        await connection.subscribe(channelOf(runId), (lastSeq) => tell(runId, Number(lastSeq)));
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
