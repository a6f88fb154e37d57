/**
 * Makes ids that nobody can guess and nobody has made before. Uses no `randomUUID`, which pages without https lack.
 */

/** @returns 128 random bits as 32 hexadecimal digits. */
export function createId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
