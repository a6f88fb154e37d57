/**
 * Browsers open six HTTP/1.1 connections to an origin, shared by all of its pages. Decides when a stream releases its
 * connection for others: while its page is hidden, and while a stop request waits. Does not know how a stream is read.
 */

/** How long a hidden page keeps a connection. */
const holdMs = 2_000;
/** A page that stays hidden requests what it missed at this interval, so that it learns when the stream ends. */
const missedMs = 30_000;
/** How long it waits for the response: hanging requests would use up the visible page's connections. */
const newsMs = 5_000;
/** After this time, a request without a response may be one that waits for a connection. */
const answerMs = 1_000;
/** The longest time a stream gives up its connection for such a request. */
const yieldMs = 10_000;

/** A stream that can temporarily give up its connection. */
export interface PausableStream {
  /**
   * Releases the connection, or stops restoring it, until {@link continue} is called; what was missed is requested
   * then.
   *
   * @returns whether it is paused; false if a pause would lose something: no event id came, or the run may end with the
   * connection. Also false if nothing was requested yet, or the stream has ended.
   */
  pause(): boolean;
  continue(): void;
}

export interface ConnectionWatch {
  /** The stream has a connection. */
  opened(): void;
  /** The stream has ended. */
  stop(): void;
}

/** Pauses a stream while its page is hidden; does nothing outside a page, or where connections are not scarce. */
export function watchPage(stream: PausableStream): ConnectionWatch {
  const { document, window } = globalThis;
  let timer: ReturnType<typeof setTimeout>;

  function onChange(): void {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(letGo, holdMs);
    else stream.continue();
  }

  function letGo(): void {
    clearTimeout(timer);
    timer = stream.pause() ? setTimeout(lookForNews, missedMs) : setTimeout(letGo, holdMs);
  }

  function lookForNews(): void {
    stream.continue();
    timer = setTimeout(letGo, newsMs);
  }

  // React Native has no document, unless a library provides one without events.
  if (!document?.addEventListener || !isHttp1()) return { opened() {}, stop() {} };
  document.addEventListener("visibilitychange", onChange);
  // A page kept for back navigation keeps its connections, but its timers no longer run.
  window?.addEventListener("pagehide", letGo);
  return {
    opened: onChange,
    stop() {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onChange);
      window?.removeEventListener("pagehide", letGo);
    },
  };
}

/**
 * Whether the page came over HTTP/1.x. It stands in for the route: a page learns the protocol of a response only when
 * that has ended. Browsers speak HTTP/2 only over TLS; a page from the cache has no protocol.
 */
function isHttp1(): boolean {
  if (globalThis.location?.protocol === "http:") return true;
  const [page] = (performance.getEntriesByType?.("navigation") ?? []) as PerformanceNavigationTiming[];
  return page?.nextHopProtocol?.startsWith("http/1") === true;
}

/**
 * Waits for the response to a request; after a second, a stream gives up its connection to it.
 *
 * @param stream - An application's own stream may not be pausable; it then keeps its connection.
 * @returns whether the stream gave its connection up.
 */
export async function yieldConnection(
  stream: AsyncIterable<unknown> | undefined,
  answer: Promise<unknown>,
): Promise<boolean> {
  if (!isPausable(stream)) {
    await answer;
    return false;
  }
  let hasYielded = false;
  let timer = setTimeout(() => {
    hasYielded = stream.pause();
    if (hasYielded) timer = setTimeout(() => stream.continue(), yieldMs);
  }, answerMs);
  try {
    await answer;
    return hasYielded;
  } finally {
    clearTimeout(timer);
    stream.continue();
  }
}

/** A Node stream also has a `pause`, but no `continue`. */
function isPausable<Stream extends object>(stream: Stream | undefined): stream is Stream & PausableStream {
  return stream !== undefined && "pause" in stream && "continue" in stream;
}
