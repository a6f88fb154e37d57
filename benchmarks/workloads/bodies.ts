/** Bytes as they arrive from a network: split into pieces, one per read. */
import type { Implementation, Source } from "../implementations/implementation.ts";

/** All bytes from an implementation's own encoder. */
export async function encodeAll(implementation: Implementation, source: Source): Promise<Uint8Array> {
  const response = await implementation.encode!(source);
  return new Uint8Array(await response.arrayBuffer());
}

/** Reads an encoder's body to its end. @returns the number of bytes and of pieces; no pieces if it makes no body. */
export async function drain(
  implementation: Implementation,
  source: Source,
): Promise<{ bytes: number; pieces: number }> {
  if (implementation.encodeBytes !== undefined) {
    return { bytes: await implementation.encodeBytes(source), pieces: 0 };
  }
  const reader = (await implementation.encode!(source)).body!.getReader();
  let bytes = 0;
  let pieces = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    bytes += read.value.length;
    pieces++;
  }
  return { bytes, pieces };
}

/** One frame per piece, or this many bytes. */
export function cutBytes(bytes: Uint8Array, size: number | "frame"): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = size === "frame" ? frameEnd(bytes, at) : at + size;
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

function frameEnd(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) if (bytes[at] === 10 && bytes[at + 1] === 10) return at + 2;
  return bytes.length;
}

export function createBody(pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < pieces.length) controller.enqueue(pieces[at++]!);
      else controller.close();
    },
  });
}
