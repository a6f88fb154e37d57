/**
 * Disk space reserved for when the disk is full: SQLite needs some even to delete. While the reserve is released, no
 * process adds entries, so that the remaining space is enough to end runs and delete old ones.
 */
import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** More than SQLite writes between two checkpoints (4 MiB); it reuses that space after each one. */
const reserveBytes = 8 * 1024 * 1024;
/** Delay before another attempt to create the reserve. */
const retryMs = 250;

export interface DiskReserve {
  /** Whether the reserve exists. Creates it again when the disk has space. */
  exists(): boolean;
  /** Deletes the reserve and logs why. @returns whether it existed. */
  release(error: unknown): boolean;
}

/** @param path - The path of the reserve itself, which all processes share. */
export function createDiskReserve(path: string): DiskReserve {
  let triedAt = Number.NEGATIVE_INFINITY;
  let isReported = false;

  const hasFile = () => statSync(path, { throwIfNoEntry: false })?.size === reserveBytes;

  function setAside(): boolean {
    try {
      checkRoom();
      // Not zeros: some file systems do not store them.
      writeFileSync(path, noise(reserveBytes));
      isReported = false;
      return true;
    } catch (error) {
      rmSync(path, { force: true });
      report(error);
      return false;
    }
  }

  /**
   * Without this check, each attempt on a full disk would block the process and take the last space from other
   * programs.
   */
  function checkRoom(): void {
    const { bavail, blocks, bsize } = statfsSync(dirname(path));
    const isKnown = blocks > 0;
    if (isKnown && bavail * bsize < reserveBytes)
      throw new Error(`The disk has ${bavail * bsize} bytes left; the reserve needs ${reserveBytes}.`);
  }

  /** Logged once, because every request would fail again. */
  function report(error: unknown): void {
    if (!isReported)
      console.error(`The disk is too full for ${path}. New runs are refused until there is space.`, error);
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
  // The maximum for one call.
  for (let start = 0; start < size; start += 65_536)
    crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  return bytes;
}
