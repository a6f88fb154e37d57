/**
 * Which texts are valid ids: event ids and idempotency keys, which appear verbatim in headers, frames and URLs, and the
 * ids of owners, sessions, messages and runs, which do not. Does not interpret ids.
 */

/** The maximum length of an owner, session, message or run id, in characters. */
export const maxIdLength = 256;

/** The maximum length of an event id or an idempotency key, in characters, which are also bytes. */
export const maxVisibleAsciiLength = 128;

/** What {@link isVisibleAscii} expects, for messages. */
export const visibleAsciiRule = `1 to ${maxVisibleAsciiLength} visible ASCII characters`;

/** Whether a text is a valid event id or idempotency key: 1 to 128 visible ASCII characters, 0x21 to 0x7E. */
export const isVisibleAscii = (text: string): boolean =>
  text.length <= maxVisibleAsciiLength && /^[\x21-\x7e]+$/.test(text);
