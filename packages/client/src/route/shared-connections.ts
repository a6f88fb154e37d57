/**
 * Browsers open six HTTP/1.1 connections to an origin, shared by all of its pages. Decides when a stream lets its own go
 * for others: while its page is hidden, and while a stop waits. Does not know how a stream is read.
 */

/** For how long a hidden page keeps a connection. */
const holdMs = 2_000;
/** A page that stays hidden then requests what it has missed, so that it learns of the end. */
const missedMs = 30_000;
/** For how long it waits for the answer: requests that hang would use up the connections of the visible page. */
const newsMs = 5_000;
/** After this time, an unanswered request may be one that waits for a connection. */
const answerMs = 1_000;
/** How long a stream does without its connection at most while such a request waits. */
const yieldMs = 10_000;

/** A stream that can do without its connection for a while. */
export interface PausableStream {
  /**
   * Lets the connection go, or what is done to restore it, until {@link continue} is called; what comes meanwhile is
   * requested then.
   *
   * @returns whether it is paused; false where that would lose something: no event id came, or the run may end with the
   * connection. Also where nothing was requested yet, or the stream is over.
   */
  pause(): boolean;
  continue(): void;
}

export interface ConnectionWatch {
  /** The stream has a connection. */
  opened(): void;
  /** The stream is over. */
  stop(): void;
}

/** Pauses a stream while its page is hidden; does nothing outside of a page, or where connections are not scarce. */
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

  // React Native has no document, unless a library makes one that has no events.
  if (!document?.addEventListener || !isHttp1()) return { opened() {}, stop() {} };
  document.addEventListener("visibilitychange", onChange);
  // A page that the user may go back to keeps its connections, but has no time any more.
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
 * Whether the page came over HTTP/1.x. It stands for its route: a page learns the protocol of a response only at its end.
 * Browsers speak HTTP/2 only over TLS; a page from the cache has no protocol.
 */
function isHttp1(): boolean {
  if (globalThis.location?.protocol === "http:") return true;
  const [page] = (performance.getEntriesByType?.("navigation") ?? []) as PerformanceNavigationTiming[];
  return page?.nextHopProtocol?.startsWith("http/1") === true;
}

/**
 * Waits for the answer to a request, which gets the connection of a stream when it has waited for a second.
 *
 * @param stream - One of the application's own may not be pausable, and then keeps its connection.
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

/** A stream of Node has a `pause`, too, but no `continue`. */
function isPausable<Stream extends object>(stream: Stream | undefined): stream is Stream & PausableStream {
  return stream !== undefined && "pause" in stream && "continue" in stream;
}
