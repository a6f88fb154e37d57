// Prints the closing line over all suites, and fails when anything failed or nothing ran.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const failedSteps = Number(process.argv[2]);
let results = {
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
};
try {
  results = JSON.parse(readFileSync(".tmp/test-results.json", "utf8"));
} catch (error) {
  console.error(`No test results: ${error.message}`);
}
// Again at the very end, where a log that was cut short still has them.
for (const { name, message, assertionResults } of results.testResults) {
  if (message) console.log(`FAILED ${relative(".", name)}\n${message}\n`);
  for (const { status, fullName, failureMessages } of assertionResults) {
    if (status !== "failed") continue;
    console.log(`FAILED ${relative(".", name)}: ${fullName}\n${failureMessages.join("\n").slice(0, 2000)}\n`);
  }
}
const passed = results.numPassedTests;
const skipped = results.numPendingTests + results.numTodoTests;
// A step may fail without a failed test: a broken suite, a lint error.
const failed = Math.max(results.numFailedTests, failedSteps);
// Nothing may be skipped here: every program that a test needs is installed.
process.exitCode = failed > 0 || skipped > 0 || passed === 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
