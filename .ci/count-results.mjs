// Prints the closing line for all suites, and fails if anything failed or nothing ran.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const [failedSteps, ...files] = process.argv.slice(2);
let passed = 0;
let skipped = 0;
let failed = 0;
for (const file of files) {
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
  // Failures are repeated at the very end, where even a truncated log still has them.
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
// A step may fail without a failed test: a broken suite, a lint error.
failed = Math.max(failed, Number(failedSteps));
// Nothing may be skipped here: every program that a test needs is installed.
if (failed > 0 || skipped > 0 || passed === 0) process.exitCode = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
