/**
 * The ids of runs. An id names the place of its run, so that a store that spreads runs over several machines finds a run
 * by its id alone.
 */

/** The hexadecimal digits of a place: 65,536 places, four times the slots of a Redis Cluster. */
const placeDigits = 4;

const placedId = new RegExp(`^([0-9a-f]{${placeDigits}})[0-9a-f]{4}-[0-9a-f]{4}-8[0-9a-f]{3}-`);

/**
 * The place of an owner's runs: a hash, as four hexadecimal digits. Runs without an owner are spread by their keys; one
 * without a key is found by its id only, and has a random place.
 */
export function placeOf(owner: string, key = ""): string {
  if (owner === "" && key === "") return crypto.randomUUID().slice(0, placeDigits);
  return hash(owner === "" ? key : owner);
}

/** The place in an id of {@link createRunId}; undefined for any other id. */
export const placeInId = (runId: string): string | undefined => placedId.exec(runId)?.[1];

/**
 * Mints the id of a run: a UUID of version 8 (RFC 9562, section 5.8), whose first 16 bits are the place of its run. The
 * other 106 bits are random: a run cannot be found by guessing.
 */
export function createRunId(owner: string, key?: string): string {
  const random = crypto.randomUUID();
  return `${placeOf(owner, key)}${random.slice(placeDigits, 14)}8${random.slice(15)}`;
}

/** FNV-1a with 32 bits, folded to 16. */
function hash(text: string): string {
  let bits = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) bits = Math.imul(bits ^ byte, 0x01000193);
  const folded = ((bits >>> 16) ^ bits) & 0xffff;
  return folded.toString(16).padStart(placeDigits, "0");
}
