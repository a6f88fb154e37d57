/** Ways to cut bytes, for tests that show that cutting makes no difference. */
import fc from "fast-check";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Cuts `bytes` at the given places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...places].sort((a, b) => a - b);
  return [0, ...sorted].map((start, index) => bytes.subarray(start, sorted[index] ?? bytes.length));
}

/** Every byte as a separate piece. */
export const byteByByte = (bytes: Uint8Array): Uint8Array[] =>
  Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));

/** `bytes` cut at up to `most` random places, empty pieces included. */
export const anyCut = (bytes: Uint8Array, most = 8): fc.Arbitrary<Uint8Array[]> =>
  fc.array(fc.nat(bytes.length), { maxLength: most }).map((places) => cutAt(bytes, places));
