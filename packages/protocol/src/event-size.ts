/**
 * Counts the bytes of the current event and finds where it exceeds the limit. Knows only where lines and events end;
 * parsing them is the parser's job.
 *
 * Source: HTML Standard, section 9.2.5 "Parsing an event stream".
 */

const LF = 10;
const CR = 13;

/** Whether `byte` ends a blank line, and with it an event. The LF of a CRLF ends nothing; its CR already has. */
const endsBlankLine = (previous: number, byte: number): boolean =>
  previous === LF ? byte === LF || byte === CR : previous === CR && byte === CR;

/** Every line end counts as one byte, CRLF included. */
const isCounted = (previous: number, byte: number): boolean => previous !== CR || byte !== LF;

export class EventSize {
  readonly #maxBytes: number;
  /** Bytes of the current event, without the blank line that ended the previous one. */
  #bytes = 0;
  /** The last byte of the previous piece. A stream begins as if after a line end. */
  #previous = LF;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the number of bytes of the next piece that fit before an event exceeds the limit. */
  count(piece: Uint8Array): number {
    const mayExceed = this.#bytes + piece.length > this.#maxBytes;
    const fitting = mayExceed ? this.#countFromStart(piece) : piece.length;
    if (!mayExceed) this.#countFromEnd(piece);
    this.#previous = piece[piece.length - 1] ?? this.#previous;
    return fitting;
  }

  #countFromStart(piece: Uint8Array): number {
    let previous = this.#previous;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      if (endsBlankLine(previous, byte)) this.#bytes = 0;
      else if (isCounted(previous, byte)) this.#bytes++;
      if (this.#bytes > this.#maxBytes) return at;
      previous = byte;
    }
    return piece.length;
  }

  /** When no event can be too large, only the last one matters; it usually begins near the end of the piece. */
  #countFromEnd(piece: Uint8Array): void {
    let bytes = 0;
    for (let at = piece.length - 1; at >= 0; at--) {
      const byte = piece[at]!;
      // Only for a line end does the byte before it matter.
      if (byte <= CR) {
        const previous = at > 0 ? piece[at - 1]! : this.#previous;
        if (endsBlankLine(previous, byte)) {
          this.#bytes = bytes;
          return;
        }
        if (!isCounted(previous, byte)) continue;
      }
      bytes++;
    }
    this.#bytes += bytes;
  }
}
