import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { OpenStreamsReport } from "../load/open-streams.ts";

const script = fileURLToPath(new URL("../load/open-streams.ts", import.meta.url));
const reportFile = fileURLToPath(new URL("../.tmp/open-streams.json", import.meta.url));

test("5,000 streams at once receive all of their chunks, and leave no memory, timer or handle", async () => {
  const child = spawn(
    process.execPath,
    [script, "--streams", "5000", "--chunks", "3", "--ways", "to-sse,send-stream", "--json", reportFile],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  // Its server exits with it.
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  expect(exitCode, output).toBe(0);
  expect(output).not.toContain("Warning");

  const report: OpenStreamsReport = JSON.parse(readFileSync(reportFile, "utf8"));
  expect(report.faults).toEqual([]);
  expect(report.rounds.map((round) => round.way)).toEqual(["to-sse", "send-stream"]);
  for (const { way, before, whileOpen, after, wholeStreams, endedInOrder } of report.rounds) {
    expect(wholeStreams, way).toBe(5000);
    expect(endedInOrder, way).toBe(2500);
    expect(whileOpen.connections, way).toBe(5000);
    // Resources were in use while the streams were open, so their absence afterwards means something.
    expect(whileOpen.resources.TCPSocketWrap, way).toBe(5000);
    expect(whileOpen.resources.Timeout, way).toBeGreaterThanOrEqual(5000);
    expect(after.heapBytes, way).toBeLessThan(before.heapBytes * 1.05);
    expect(after.resources, way).toEqual(before.resources);
    expect(after.resources, way).not.toHaveProperty("Timeout");
    expect(after.resources, way).not.toHaveProperty("TCPSocketWrap");
    expect(after.openSources, way).toBe(0);
  }
}, 300_000);
