/**
 * An answer of the suite server as a value that travels in the query of the request, so that the case that reads the
 * answer also defines it. Holds no server.
 */

export interface Answer {
  /** @defaultValue 200 */
  status?: number;
  /** @defaultValue `{ "content-type": "text/event-stream" }` */
  headers?: Record<string, string>;
  /** An array is written piece by piece. */
  body?: string | string[];
  /** The time between two pieces, in milliseconds. */
  everyMs?: number;
  /** Sends only this many bytes of the body; a negative number omits bytes at its end. */
  bytes?: number;
  /** Compresses the body. */
  isGzipped?: true;
  /** Sends no length of the body, so that only the end of the connection ends it. */
  isCloseDelimited?: true;
  /**
   * What follows the body: a normal end, a closed socket, a reset one, or nothing. With `hasNoHeaders` and `hold`, the
   * request never gets a response.
   *
   * @defaultValue "end"
   */
  ending?: AnswerEnding;
  /** Delays the ending until the client has this many chunks, because a closed socket loses data in flight. */
  endsAfterChunks?: number;
  /** Sends no headers before the ending. */
  hasNoHeaders?: true;
}

export type AnswerEnding = "end" | "cut" | "reset" | "hold";

/** A request as the server sees it. */
export interface SeenRequest {
  method: string;
  headers: Record<string, string>;
  body: unknown;
  /** The client's port. */
  port: number | undefined;
  /** The whole answer was sent. */
  isAnswered: boolean;
  /** The client closed the connection before the answer was complete. */
  wasAborted: boolean;
}

export const answerUrl = (baseUrl: string, id: string, answer: Answer): string =>
  `${baseUrl}/answer?${new URLSearchParams({ case: id, answer: JSON.stringify(answer) })}`;
