/**
 * Room on the disk that is set aside for the day when it is full: SQLite needs some even to delete. While it is given
 * up, no process may add to the file, so that what is left suffices to end runs and to delete old ones.
 */
import { rmSync, statSync, writeFileSync } from "node:fs";

/** More than SQLite writes between two checkpoints (4 MiB), after each of which it uses that room again. */
const reserveBytes = 8 * 1024 * 1024;
/** A reserve that could not be set aside is tried again after this long. */
const retryMs = 250;

export interface DiskReserve {
  /** Whether the reserve is there. Sets it aside again when the disk has room. */
  isThere(): boolean;
  /** Gives the room back to the disk. @returns whether there was any. */
  release(): boolean;
}

/** @param path - Of the reserve itself, which all processes share. */
export function createDiskReserve(path: string): DiskReserve {
  let triedAt = Number.NEGATIVE_INFINITY;

  const exists = () => statSync(path, { throwIfNoEntry: false })?.size === reserveBytes;

  function setAside(): boolean {
    try {
      // Not zeros: some file systems keep none.
      writeFileSync(path, noise(reserveBytes));
      return true;
    } catch {
      rmSync(path, { force: true });
      return false;
    }
  }

  return {
    isThere() {
      if (exists()) return true;
      const now = performance.now();
      if (now - triedAt < retryMs) return false;
      triedAt = now;
      return setAside();
    },
    release() {
      if (!exists()) return false;
      triedAt = performance.now();
      rmSync(path, { force: true });
      return true;
    },
  };
}

function noise(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  // The most that one call gives.
  for (let start = 0; start < size; start += 65_536)
    crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  return bytes;
}
