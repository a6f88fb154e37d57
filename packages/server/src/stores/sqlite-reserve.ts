/**
 * Room on the disk that is set aside for the day when it is full: SQLite needs some even to delete. While the reserve is
 * released, no process adds entries, so that the remaining room is enough to end runs and to delete old ones.
 */
import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** More than SQLite writes between two checkpoints (4 MiB), after each of which it uses that room again. */
const reserveBytes = 8 * 1024 * 1024;
/** A reserve that could not be set aside is tried again after this long. */
const retryMs = 250;

export interface DiskReserve {
  /** Whether the reserve exists. Sets it aside again when the disk has room. */
  exists(): boolean;
  /** Deletes the reserve and logs why. @returns whether it existed. */
  release(error: unknown): boolean;
}

/** @param path - Of the reserve itself, which all processes share. */
export function createDiskReserve(path: string): DiskReserve {
  let triedAt = Number.NEGATIVE_INFINITY;
  let isReported = false;

  const hasFile = () => statSync(path, { throwIfNoEntry: false })?.size === reserveBytes;

  function setAside(): boolean {
    try {
      checkRoom();
      // Not zeros: some file systems keep none.
      writeFileSync(path, noise(reserveBytes));
      isReported = false;
      return true;
    } catch (error) {
      rmSync(path, { force: true });
      report(error);
      return false;
    }
  }

  /** Without this, each attempt on a full disk would block the process, and take the last room of other programs. */
  function checkRoom(): void {
    const { bavail, blocks, bsize } = statfsSync(dirname(path));
    const isKnown = blocks > 0;
    if (isKnown && bavail * bsize < reserveBytes)
      throw new Error(`The disk has ${bavail * bsize} bytes left; ${reserveBytes} are needed.`);
  }

  /** Once, because every request would meet it again. */
  function report(error: unknown): void {
    if (!isReported)
      console.error(`There is no room for ${path}. New runs are refused until there is.`, error);
    isReported = true;
  }

  return {
    exists() {
      if (hasFile()) return true;
      const now = performance.now();
      if (now - triedAt < retryMs) return false;
      triedAt = now;
      return setAside();
    },
    release(error) {
      if (!hasFile()) return false;
      report(error);
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
