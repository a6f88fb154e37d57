/**
 * Makes ids that nobody can guess and nobody has made before. Uses no `randomUUID`, which pages without https lack.
 */

/** @returns 128 random bits as 32 hexadecimal digits. */
export const createId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (256 + byte).toString(16).slice(1)).join(
    "",
  );
