/**
 * Counts the bytes of the event that is being read, and finds where it exceeds the limit. Knows where lines and events
 * end, and nothing else of them: reading them is the parser's task.
 *
 * Source: HTML Standard, section 9.2.5 "Parsing an event stream".
 */

const LF = 10;
const CR = 13;

/** Whether `byte` ends a blank line, and with it an event. The LF of a CRLF ends nothing: its CR has. */
const endsBlankLine = (previous: number, byte: number): boolean =>
  previous === LF ? byte === LF || byte === CR : previous === CR && byte === CR;

/** @returns where the last blank line of `piece` ends, when it also begins there; else 0. */
function lastBlankLine(piece: Uint8Array): number {
  for (let at = piece.length - 1; at > 0; at--) if (endsBlankLine(piece[at - 1]!, piece[at]!)) return at;
  return 0;
}

export class EventSize {
  readonly #maxBytes: number;
  /** Of the event so far, from one blank line to the next; a line end counts once, the blank line does not. */
  #bytes = 0;
  /** The stream begins as after a line. */
  #previous = LF;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns how many bytes of the next piece come before the one with which an event exceeds the limit. */
  count(piece: Uint8Array): number {
    const mayExceed = this.#bytes + piece.length > this.#maxBytes;
    // When no event can be too large, only the size of the last one matters.
    let at = mayExceed ? 0 : lastBlankLine(piece);
    let previous = at > 0 ? piece[at - 1]! : this.#previous;
    for (; at < piece.length; at++) {
      const byte = piece[at]!;
      if (endsBlankLine(previous, byte)) this.#bytes = 0;
      else if (previous !== CR || byte !== LF) this.#bytes++;
      if (this.#bytes > this.#maxBytes) return at;
      previous = byte;
    }
    this.#previous = previous;
    return at;
  }
}
