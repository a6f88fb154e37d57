/**
 * Counts the bytes of the event that is under way, so that a decoder can refuse one that grows too large. Knows blank
 * lines and nothing else of the grammar.
 */

const LF = 10;
const CR = 13;

export interface EventSizer {
  /**
   * Counts a piece of the stream.
   *
   * @param hasLineEnd - Whether the piece holds CR or LF, which the caller finds faster in the decoded text.
   * @returns -1, or, when an event grows beyond the limit within this piece, the index behind the last blank line
   * before that event (0 when there is none in this piece). Which event that is depends only on the bytes of the
   * stream, not on how they were cut.
   */
  count(bytes: Uint8Array, hasLineEnd: boolean): number;
  /** Whether the last byte ended a blank line, and no LF can follow that still belongs to it. */
  readonly atBoundary: boolean;
}

/** @param maxEventBytes - The largest event, in bytes from behind one blank line to the next blank line. */
export function createEventSizer(maxEventBytes: number): EventSizer {
  /** Bytes since the last blank line. */
  let size = 0;
  /** Nothing on the current line yet: a line end now is a blank line. */
  let lineIsEmpty = true;
  /** The last byte was CR: an LF now belongs to the same line end. */
  let afterCR = false;

  /** The exact way: every byte, with all three line ends of the grammar. */
  function countEach(bytes: Uint8Array): number {
    let boundary = 0;
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index];
      if (byte === LF && afterCR) {
        afterCR = false;
        // The LF of a CRLF that made a blank line is not part of the next event.
        if (size > 0) size++;
      } else if (byte === LF || byte === CR) {
        if (lineIsEmpty) {
          size = 0;
          boundary = index + 1;
        } else {
          size++;
          lineIsEmpty = true;
        }
        afterCR = byte === CR;
      } else {
        size++;
        lineIsEmpty = false;
        afterCR = false;
      }
      if (size > maxEventBytes) return boundary;
    }
    return -1;
  }

  return {
    count(bytes, hasLineEnd) {
      const { length } = bytes;
      if (length === 0) return -1;
      if (!hasLineEnd) {
        size += length;
        lineIsEmpty = false;
        afterCR = false;
        return size > maxEventBytes ? 0 : -1;
      }
      // In a piece that cannot reach the limit only the bytes behind its last blank line matter, and those are found
      // from the end. Blank lines made with CR are left to the exact way.
      if (size + length <= maxEventBytes) {
        let index = length - 1;
        while (index > 0 && bytes[index] !== CR && !(bytes[index] === LF && bytes[index - 1] === LF)) index--;
        if (index > 0 && bytes[index] === LF) {
          size = length - 1 - index;
          lineIsEmpty = bytes[length - 1] === LF;
          afterCR = false;
          return -1;
        }
      }
      return countEach(bytes);
    },
    get atBoundary() {
      return size === 0 && !afterCR;
    },
  };
}
