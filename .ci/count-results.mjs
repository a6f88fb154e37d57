// Prints what failed, and the closing line for all suites. Fails if anything failed or nothing ran.
//
// usage: count-results.mjs <results of the tests> <results of the long tests> <folder of logs> [failed step]...
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";

const [tests, longTests, logs, ...failedSteps] = process.argv.slice(2);
let passed = 0;
let skipped = 0;
let failed = 0;
// All of this is printed at the very end, where even a truncated log still has it. A step may fail in which no test did:
// a lint error, a slow hot path, an unhandled rejection.
for (const step of failedSteps) {
  const lines = readFileSync(join(logs, `${step}.log`), "utf8")
    .trimEnd()
    .split("\n");
  console.log(`FAILED step: ${step}\n${lines.slice(-40).join("\n")}\n`);
}
for (const file of [tests, longTests]) {
  let results;
  try {
    results = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    console.error(`No test results: ${error.message}`);
    process.exitCode = 1;
    continue;
  }
  passed += results.numPassedTests;
  skipped += results.numPendingTests + results.numTodoTests;
  failed += results.numFailedTests;
  for (const { name, message, assertionResults } of results.testResults) {
    if (message) console.log(`FAILED ${relative(".", name)}\n${message}\n`);
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status !== "failed") continue;
      console.log(
        `FAILED ${relative(".", name)}: ${fullName}\n${failureMessages.join("\n").slice(0, 2000)}\n`,
      );
    }
  }
}
failed = Math.max(failed, failedSteps.length);
// Nothing may be skipped here: every program that a test needs is installed.
if (failed > 0 || skipped > 0 || passed === 0) process.exitCode = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
