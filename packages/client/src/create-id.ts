/**
 * Makes ids that nobody can guess and nobody has made before. Uses no `randomUUID`, which pages without https lack.
 */

/** @returns 128 random bits as four decimal numbers. */
export const createId = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-");
