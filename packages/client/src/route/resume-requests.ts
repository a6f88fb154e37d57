/**
 * The requests of one resume: one may be slow while others are tried. Owns those without a response. Does not wait
 * between requests or check responses.
 */

import { StreamIdleError } from "../stream/errors.ts";
import { startTimer } from "../stream/start-timer.ts";

interface SlowRequest {
  /** Its response; stays pending if the request fails. */
  response: Promise<Response>;
  /** Aborted when the response has arrived. */
  answered: AbortController;
  /** Aborts the request. */
  left: AbortController;
}

export interface ResumeRequests {
  /**
   * Makes one more request, unless the slow one has its response.
   *
   * @returns the first response to either.
   * @throws StreamIdleError when neither responds within `hangMs`; any error of `send`.
   */
  next(): Promise<Response>;
  /**
   * @returns a signal that is aborted when waiting for `next` is pointless: the consumer has left, or a response has
   * arrived.
   */
  untilAnswered(): AbortSignal;
  /** Aborts the slow request. */
  end(): void;
}

/**
 * A network may drop packets silently: a request made during that time hangs even after the network is back, so another
 * one is made after `hangMs`. But the server may merely be slow: the oldest hanging request stays open while later ones
 * are tried, for as long as `send` waits. Later ones are aborted after `hangMs`, so that there are never more than two.
 *
 * @param send - Makes the request, and aborts it with the signal.
 * @param signal - Aborted when the consumer leaves.
 */
export function createResumeRequests(
  send: (signal: AbortSignal) => Promise<Response>,
  hangMs: number,
  signal: AbortSignal,
): ResumeRequests {
  let slow: SlowRequest | undefined;

  function keep(sent: Promise<Response>, left: AbortController): void {
    const answered = new AbortController();
    const response = new Promise<Response>((resolve) => {
      const onResponse = (value: Response) => {
        answered.abort();
        resolve(value);
      };
      const onFailure = () => {
        slow = undefined;
      };
      sent.then(onResponse, onFailure);
    });
    slow = { response, answered, left };
  }

  const isAnswered = () => slow?.answered.signal.aborted === true;

  return {
    async next() {
      if (!isAnswered()) {
        const left = new AbortController();
        const sent = send(AbortSignal.any([signal, left.signal]));
        const first = await firstOf(slow ? [slow.response, sent] : [sent], hangMs);
        if (!isAnswered()) {
          if (first) return first;
          if (slow) left.abort();
          else keep(sent, left);
          throw new StreamIdleError(hangMs);
        }
        left.abort();
      }
      const { response } = slow!;
      slow = undefined;
      return response;
    },
    untilAnswered: () => (slow ? AbortSignal.any([signal, slow.answered.signal]) : signal),
    end: () => slow?.left.abort(),
  };
}

/** @returns the first of the responses; undefined if none arrived within `ms`. */
async function firstOf(responses: Promise<Response>[], ms: number): Promise<Response | undefined> {
  let timer: ReturnType<typeof startTimer>;
  const late = new Promise<undefined>((resolve) => {
    timer = startTimer(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([...responses, late]);
  } finally {
    clearTimeout(timer);
  }
}
