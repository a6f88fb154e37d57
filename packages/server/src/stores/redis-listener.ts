/**
 * This process's connection that listens to Redis, for all of its runs. The store's tick finds what it misses.
 */
import { type OwnConnection, openConnection, type RedisLink } from "./redis-client.ts";

/** After this many ticks without a waiter, the listener unsubscribes from a channel. */
const lingerTicks = 5;
/**
 * When something that the store has read is still unannounced after this many ticks, the connection is replaced: it may
 * have died without being closed.
 */
const silentTicks = 2;

/** What is announced of a run: each entry and the end, or only the end. */
export type Announced = "entries" | "end";

interface Channel {
  runId: string;
  announced: Announced;
  /** Its announcements should arrive: the connection is open. */
  isExpected: boolean;
  /** Ticks since it last had a waiter. */
  idleTicks: number;
  /** The highest announced position; Infinity for the end. */
  heard: number;
  /** The same, until a wait has returned because of it. */
  untold: number;
  /** The highest position that was read. */
  read: number;
  /** Ticks for which it has been higher than the announced one. */
  silentTicks: number;
}

export interface RedisListenerOptions {
  link: RedisLink;
  channelOf: (runId: string, announced: Announced) => string;
  /** Called with each announced position; Infinity for the end. */
  onPosition: (runId: string, lastSeq: number) => void;
}

export class RedisListener {
  readonly #options: RedisListenerOptions;
  readonly #channels: Record<Announced, Map<string, Channel>> = { entries: new Map(), end: new Map() };
  /**
   * Channels being unsubscribed: a client that subscribes again in the meantime would end up without a subscription.
   */
  readonly #leaving = new Map<string, Promise<void>>();
  #subscriber: OwnConnection | undefined;
  /** Nothing is tried again before the next tick: with thousands of waits, each would open a connection. */
  #hasFailed = false;

  constructor(options: RedisListenerOptions) {
    this.#options = options;
  }

  /** Whether this is, or will be, listened to. */
  has(runId: string, announced: Announced): boolean {
    return this.#channels[announced].has(runId);
  }

  /**
   * Whether a position after this one was announced since the last call that returned true, so that an announced entry
   * that Redis has lost is looked for only once.
   */
  takeHeard(runId: string, announced: Announced, after: number): boolean {
    const channel = this.#channels[announced].get(runId);
    if (channel === undefined || channel.untold <= after) return false;
    channel.untold = -1;
    return true;
  }

  /** Resolves when subscribed or failed; never rejects. */
  async listen(runId: string, announced: Announced): Promise<void> {
    if (this.#hasFailed) return;
    const { link, channelOf, onPosition } = this.#options;
    const positions = { heard: -1, untold: -1, read: -1 };
    const channel = { runId, announced, isExpected: false, idleTicks: 0, silentTicks: 0, ...positions };
    this.#channels[announced].set(runId, channel);
    this.#subscriber ??= openConnection(link);
    const { connection, opened } = this.#subscriber;
    const name = channelOf(runId, announced);
    try {
      await opened;
      channel.isExpected = true;
      await this.#leaving.get(name);
      await connection.subscribe(name, (lastSeq) => onPosition(runId, Number(lastSeq)));
    } catch {
      if (this.#subscriber?.connection !== connection) return;
      this.close();
      this.#hasFailed = true;
    }
  }

  /** Remembers an announced position; Infinity for the end. */
  note(runId: string, lastSeq: number): void {
    for (const channels of Object.values(this.#channels)) {
      const channel = channels.get(runId);
      if (channel === undefined) continue;
      channel.heard = Math.max(lastSeq, channel.heard);
      channel.untold = Math.max(lastSeq, channel.untold);
    }
  }

  /** Remembers a position that was read, which should have been announced; Infinity for the end. */
  noteRead(runId: string, lastSeq: number): void {
    const { entries, end } = this.#channels;
    const channel = entries.get(runId) ?? (lastSeq === Number.POSITIVE_INFINITY ? end.get(runId) : undefined);
    if (channel !== undefined) channel.read = Math.max(lastSeq, channel.read);
  }

  /** Called about every second with the runs that have waiters. @returns whether anything is listened to. */
  tick(waitedFor: ReadonlySet<string>): boolean {
    this.#hasFailed = false;
    const { entries, end } = this.#channels;
    for (const channel of [...entries.values(), ...end.values()]) {
      channel.idleTicks = waitedFor.has(channel.runId) ? 0 : channel.idleTicks + 1;
      if (isSilent(channel)) {
        this.close();
        return false;
      }
      if (channel.idleTicks > lingerTicks) this.#leave(channel);
    }
    return entries.size + end.size > 0;
  }

  /** Closes the connection. The next wait listens anew, on another one. */
  close(): void {
    this.#subscriber?.connection.destroy();
    this.#subscriber = undefined;
    for (const channels of Object.values(this.#channels)) channels.clear();
    this.#leaving.clear();
  }

  #leave({ runId, announced }: Channel): void {
    this.#channels[announced].delete(runId);
    if (this.#subscriber === undefined) return;
    const name = this.#options.channelOf(runId, announced);
    const left = this.#subscriber.connection
      .unsubscribe(name)
      .catch(() => {})
      .then(() => void this.#leaving.delete(name));
    this.#leaving.set(name, left);
  }
}

/** Counts a tick. @returns whether the announcements of this channel do not arrive. */
function isSilent(channel: Channel): boolean {
  const isBehind = channel.isExpected && channel.read > channel.heard;
  channel.silentTicks = isBehind ? channel.silentTicks + 1 : 0;
  return channel.silentTicks > silentTicks;
}
