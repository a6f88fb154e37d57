/**
 * What a process pays before it is warm: `cold import`, `cold answer` (import, the first request parsed and answered) and
 * `cold read` (import, and the first 1,000 chunks read). Each sample is a separate process, which imports the files
 * that are published.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { median } from "../harness/statistics.ts";
import { implementation as kortyx } from "../implementations/kortyx.ts";
import { encodeAll } from "./bodies.ts";
import { textChunks } from "./chunks.ts";
import { createSource } from "./sources.ts";

/** With the five rounds of a run, twenty processes. */
const samples = 4;
const program = fileURLToPath(new URL("cold-process.mjs", import.meta.url));

export async function measure({ variant: [what], name, load }: Job): Promise<Measures> {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-bench-"));
  const file = join(folder, "body");
  try {
    if (what === "read") {
      const implementation = await load();
      const encoder = implementation.encode === undefined ? kortyx : implementation;
      const chunks = textChunks(1000);
      writeFileSync(
        file,
        await encodeAll(encoder, createSource(encoder.translate?.(chunks) ?? chunks, "burst16")),
      );
    }
    const values: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      const { stdout } = await promisify(execFile)(process.execPath, [program, what!, name, file]);
      values.push(Number(stdout));
    }
    if (!values.every(Number.isFinite)) throw new Error(`No numbers: ${values}.`);
    return { ms: median(values) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
