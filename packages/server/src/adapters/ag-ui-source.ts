/** Where the events of AG-UI come from: a response, an Observable as RxJS has them, or any async iterable. Reads no event. */
import { createSSEDecoder, StreamProtocolError } from "@kortyx/protocol";

/** A subscription, as RxJS has them. */
export interface AGUISubscription {
  /** Ends it. */
  unsubscribe(): void;
}

/** What `agent.run(input)` returns. */
export interface AGUIObservable<Event> {
  /** Begins the run, or receives the rest of it. */
  subscribe(observer: {
    /** Called with each event. */
    next(event: Event): void;
    /** Called if the run fails. */
    error(error: unknown): void;
    /** Called at the end. */
    complete(): void;
  }): AGUISubscription;
}

/**
 * Subscribes at once, because `HttpAgent` has sent its request by now, and what comes before it has a subscriber is lost.
 * Unsubscribes when the events are left, or when the signal is aborted. Events that are not read yet are kept, because an
 * Observable does not wait.
 */
function readObservable<Event>(
  observable: AGUIObservable<Event>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Event, void, void> {
  const events: Event[] = [];
  let end: { error?: unknown } | undefined;
  let wake = () => {};
  let subscription: AGUISubscription | undefined;
  const finish = (reason: { error?: unknown }) => {
    end ??= reason;
    wake();
  };
  const stop = () => {
    signal?.removeEventListener("abort", abort);
    subscription?.unsubscribe();
    subscription = undefined;
  };
  const abort = () => {
    finish({ error: signal!.reason });
    stop();
  };
  if (signal?.aborted) abort();
  else {
    signal?.addEventListener("abort", abort);
    subscription = observable.subscribe({
      next(event) {
        events.push(event);
        wake();
      },
      error: (error) => finish({ error }),
      complete: () => finish({}),
    });
  }
  return read();

  async function* read() {
    try {
      for (;;) {
        // By index: shifting a long list takes linear time.
        const ready = events.splice(0);
        yield* ready;
        if (events.length > 0) continue;
        if (end && "error" in end) throw end.error;
        if (end) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop();
    }
  }
}

/**
 * The events of an agent's response. Leaving it closes the connection.
 *
 * @throws Error with the `status` of a response that is not a stream, and what a lost connection throws.
 */
async function* readResponse<Event>(response: Response): AsyncGenerator<Event, void, void> {
  const { ok, status, body } = response;
  if (!ok || body === null) {
    const text = await response.text();
    throw Object.assign(new Error(`The AG-UI agent answered ${status}: ${text.slice(0, 1000)}`), { status });
  }
  const reader = body.getReader();
  const decoder = createSSEDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      decoder.push(value);
      for (let event = decoder.next(); event !== undefined; event = decoder.next())
        yield parseEvent(event.data);
    }
  } finally {
    // Rejects with the error of a connection that was lost, which was thrown already.
    reader.cancel().catch(() => {});
  }
}

function parseEvent<Event>(data: string): Event {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new StreamProtocolError("invalid-json", "An event of AG-UI is not JSON.", { cause });
  }
}

/** Events, a promise of them, or what produces them. */
export type EventSource<Event> =
  | AsyncIterable<Event>
  | Response
  | PromiseLike<AsyncIterable<Event> | Response>
  | AGUIObservable<Event>;

/** @returns the events, however they are given. */
export function openSource<Event>(
  source: EventSource<Event>,
  signal: AbortSignal | undefined,
): AsyncIterable<Event> | PromiseLike<AsyncIterable<Event>> {
  if (has(source, "subscribe")) return readObservable(source as AGUIObservable<Event>, signal);
  return Promise.resolve(source as Exclude<typeof source, AGUIObservable<Event>>).then((given) =>
    has(given, "body") ? readResponse<Event>(given as Response) : (given as AsyncIterable<Event>),
  );
}

const has = (value: unknown, key: string): boolean =>
  typeof value === "object" && value !== null && key in value;
