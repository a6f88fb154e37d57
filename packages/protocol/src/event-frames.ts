/**
 * Bytes to frames, the texts of whole events: UTF-8, line ends, and the limit on the size of an event. Does not know
 * what stands in a frame.
 *
 * Source: HTML Standard, section 9.2.5 "Parsing an event stream".
 */
import { checkLimitOption } from "./check-option.ts";
import { StreamProtocolError } from "./errors.ts";

export interface EventFrames {
  /** Takes the next piece of the stream, however it was cut. What `next` has yet to give is copied: ask for it first. */
  push(bytes: Uint8Array): void;
  /**
   * @returns the next event, from its first line to the blank line behind it, with LF for every line end; `undefined`
   * when there is no whole one.
   * @throws StreamProtocolError `too-large`, from then on at every call.
   */
  next(): string | undefined;
  /** @returns the event that has begun, as far as it is there, once `next` has said that there is no whole one. */
  rest(): string;
}

/**
 * @param maxEventBytes - The largest event, in bytes of UTF-8; a line end counts once, the blank line does not.
 * @throws RangeError for what is not a number, 0 or more.
 */
export function createEventFrames(maxEventBytes = 8 * 1024 * 1024): EventFrames {
  checkLimitOption("maxEventBytes", maxEventBytes);
  // The byte order mark is left to this file, because runtimes differ in how they strip one that comes in pieces.
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The character that is none when the next piece begins with it: a byte order mark, or the LF of a CRLF. */
  let skipped = "\ufeff";
  /** The last piece ended on an ASCII character: nothing is unfinished, and runtimes are faster where nothing can be. */
  let isWhole = true;
  /** What `next` has yet to give begins at `at`. */
  let text = "";
  let at = 0;
  let lastCharacter = "";
  /** There may be a whole event in it, or a blank line. A text without is not searched, which keeps the work linear. */
  let mayHoldEvent = false;
  /** At least as many bytes as the text has: an event is measured only where they could be too many. */
  let bytes = 0;

  function refuseAbove(size: number): void {
    if (size > maxEventBytes) {
      throw new StreamProtocolError("too-large", `An event exceeds maxEventBytes, ${maxEventBytes}.`);
    }
  }

  return {
    push(piece) {
      // The longest character has one byte more than what there may be of it.
      const unfinishedBytes = isWhole ? 0 : 3;
      isWhole = piece[piece.length - 1]! < 0x80;
      let added = utf8.decode(piece, { stream: !isWhole });
      if (added === "") return;
      if (added[0] === skipped) added = added.slice(1);
      skipped = added.endsWith("\r") ? "\n" : "";
      if (added.includes("\r")) added = added.replace(/\r\n?/g, "\n");
      mayHoldEvent ||= text === "" || (lastCharacter + added).includes("\n\n");
      lastCharacter = added.at(-1) ?? lastCharacter;
      text = text.slice(at) + added;
      at = 0;
      // Each byte that is no UTF-8 becomes a character of three.
      bytes += unfinishedBytes + piece.length * (added.includes("\ufffd") ? 3 : 1);
    },
    next() {
      if (mayHoldEvent) {
        while (text[at] === "\n") at++;
        const end = text.indexOf("\n\n", at) + 2;
        if (end > 1) {
          const frame = text.slice(at, end);
          if (bytes > maxEventBytes) refuseAbove(byteLength(frame) - 1);
          at = end;
          return frame;
        }
        text = text.slice(at);
        // No character takes more than three bytes for each of its UTF-16 code units.
        if (at > 0) bytes = 3 * text.length;
        at = 0;
        mayHoldEvent = false;
      }
      if (bytes > maxEventBytes) {
        bytes = byteLength(text);
        refuseAbove(bytes);
      }
      return undefined;
    },
    rest: () => text,
  };
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;
