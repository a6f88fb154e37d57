/**
 * An answer of the suite server as a value, so that the case that reads it also says what it is: it travels in the
 * query of the request. Holds no server.
 */

export interface Answer {
  /** @defaultValue 200 */
  status?: number;
  /** @defaultValue `{ "content-type": "text/event-stream" }` */
  headers?: Record<string, string>;
  /** Several pieces are written one after the other. */
  body?: string | string[];
  /** The time between two pieces, in milliseconds. */
  everyMs?: number;
  /** Only so many bytes of the body are sent; from its end when negative. */
  bytes?: number;
  /** The body is compressed, and flushed behind each piece. */
  isGzipped?: true;
  /** Nothing tells how long the body is, so that only the end of the connection ends it. */
  isCloseDelimited?: true;
  /**
   * What follows the body: the end in order, a closed socket, a reset one, or nothing at all. With no body and no
   * headers (`nothing`) the request is never answered.
   *
   * @defaultValue "end"
   */
  ending?: AnswerEnding;
  /** The ending waits until the client has so many chunks: what is in flight is lost when a socket closes. */
  endsAfterChunks?: number;
  /** Not even headers are sent before the ending. */
  hasNoHeaders?: true;
}

export type AnswerEnding = "end" | "cut" | "reset" | "hold";

/** What the server has seen of a request. */
export interface SeenRequest {
  method: string;
  headers: Record<string, string>;
  body: unknown;
  /** The client's end of the connection. */
  port: number | undefined;
  /** The answer was sent to its end. */
  isAnswered: boolean;
  /** The client has closed the connection before the answer was whole. */
  wasLeft: boolean;
}

export const answerUrl = (baseUrl: string, id: string, answer: Answer): string =>
  `${baseUrl}/answer?${new URLSearchParams({ case: id, answer: JSON.stringify(answer) })}`;
