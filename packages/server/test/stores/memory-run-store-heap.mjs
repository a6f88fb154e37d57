/** Fills a memory store in its own process, and prints its heap use for each unit of its limit. */
import { stringifyChunk } from "@kortyx/protocol";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

const [maxHeapBytes, chunkLength, batchLength] = process.argv.slice(2).map(Number);
const padding = "x".repeat(chunkLength);

function heapUsed() {
  for (let count = 0; count < 3; count++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** @returns a full store. */
async function fill() {
  const store = createMemoryRunStore({ maxHeapBytes });
  for (let runs = 0; ; runs++) {
    const opened = await store.open({
      runId: `${runs}`,
      owner: "ann",
      sessionId: undefined,
      key: undefined,
      bodyHash: "hash",
      maxOpenRuns: Number.POSITIVE_INFINITY,
      allowActiveRun: true,
    });
    if (opened.status !== "created") return store;
    for (let seq = 0; seq < 1000; seq += batchLength) {
      const entries = Array.from({ length: batchLength }, (_, index) =>
        stringifyChunk({ type: "text-delta", delta: `${seq + index}`.padStart(4, " ") + padding }),
      );
      if ((await store.append(`${runs}`, seq, entries)) !== "ok") return store;
    }
  }
}

const before = heapUsed();
const store = await fill();
process.stdout.write(`${(heapUsed() - before) / maxHeapBytes}`);
await store.close();
