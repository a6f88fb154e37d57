// Prints the closing line over all suites, and fails when anything failed or nothing ran.
import { readFileSync } from "node:fs";

const failedSteps = Number(process.argv[2]);
let results = {
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numFailedTestSuites: 0,
};
try {
  results = JSON.parse(readFileSync(".tmp/test-results.json", "utf8"));
} catch (error) {
  console.error(`No test results: ${error.message}`);
}
const passed = results.numPassedTests;
const skipped = results.numPendingTests + results.numTodoTests;
// A step may fail without a failed test: a broken suite, a lint error.
const failed = Math.max(results.numFailedTests, failedSteps);
// Nothing may be skipped here: every program that a test needs is installed.
process.exitCode = failed > 0 || skipped > 0 || passed === 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
