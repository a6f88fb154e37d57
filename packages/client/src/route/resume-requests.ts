/**
 * The requests of one resume, of which one may be slow while others are tried. Owns those without a response. Does not
 * wait between them, and does not judge their responses.
 */

import { StreamIdleError } from "../stream/errors.ts";
import { startTimer } from "../stream/start-timer.ts";

interface SlowRequest {
  /** Its response; pending forever when it fails. */
  response: Promise<Response>;
  /** Aborted when the response has come. */
  answered: AbortController;
  /** Aborts the request. */
  left: AbortController;
}

export interface ResumeRequests {
  /**
   * Makes one more request, unless the slow one has its response.
   *
   * @returns the first response to either.
   * @throws StreamIdleError when neither responds within `hangMs`; what `send` throws.
   */
  next(): Promise<Response>;
  /** @returns a signal that is aborted when `next` need not be waited for: the consumer has left, or a response has come. */
  untilAnswered(): AbortSignal;
  /** Aborts the slow request. */
  end(): void;
}

/**
 * A network may drop packets silently: a request made meanwhile hangs, even after the network's return. So another one is
 * made after `hangMs`. But the server may only be slow: the oldest request that hangs stays open beside the next ones, as
 * long as `send` waits for it. These are aborted after `hangMs`, so that there are never more than two.
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

/** @returns the first of the responses; undefined when none has come within `ms`. */
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
