import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** The heap use of a full store, in bytes for each unit of its limit. */
async function measure(chunkLength: number, batchLength: number): Promise<number> {
  const script = fileURLToPath(new URL("memory-run-store-heap.mjs", import.meta.url));
  const flags = ["--expose-gc", "--conditions=@kortyx/source", "--disable-warning=ExperimentalWarning"];
  const values = [16 * 1024 * 1024, chunkLength, batchLength].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, ...values]);
  return Number(stdout);
}

test.concurrent.each([
  ["tokens, one by one", 0, 1],
  ["tokens in batches", 0, 8],
  ["chunks of 245 characters, one by one", 208, 1],
  ["chunks of 245 characters in batches", 208, 8],
])("a store full of %s takes about one byte of heap for each unit of its limit", async (_, ...how) => {
  const bytes = await measure(...how);
  expect(bytes).toBeGreaterThan(0.5);
  expect(bytes).toBeLessThan(1.25);
});
