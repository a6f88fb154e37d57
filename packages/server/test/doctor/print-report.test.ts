import { expect, test } from "vitest";
import { fault } from "../../src/doctor/finding.ts";
import { printReport } from "../../src/doctor/print-report.ts";

test("text of a response cannot control the terminal", () => {
  const finding = fault("refused", "The response has status 500: \u001b[2J\u009b1m<h1>\r\nNo</h1>", {
    page: "docs/doctor.md#findings",
  });
  expect(printReport([], { verdict: "faulty", findings: [finding] })).toBe(
    "The route does not stream as it should.\n\nFAULT The response has status 500:  [2J 1m<h1> No</h1>\n      More:  docs/doctor.md#findings\n",
  );
});
