/**
 * Which texts may be ids: event ids and idempotency keys, which travel in headers, frames and URLs as they are, and the
 * ids of owners, sessions, messages and runs, which do not. Does not read what an id means.
 */

/** The most characters of an id of an owner, a session, a message or a run. */
export const maxIdLength = 256;

/** The most characters of an event id or an idempotency key; they are as many bytes. */
export const maxVisibleAsciiLength = 128;

/** What {@link isVisibleAscii} expects, for messages. */
export const visibleAsciiRule = `1 to ${maxVisibleAsciiLength} visible ASCII characters`;

/** Whether a text may be an event id or an idempotency key: 1 to 128 visible ASCII characters, 0x21 to 0x7E. */
export const isVisibleAscii = (text: string): boolean =>
  text.length <= maxVisibleAsciiLength && /^[\x21-\x7e]+$/.test(text);
