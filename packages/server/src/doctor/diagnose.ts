/** The verdict on a route, and what was found on its path and on that of its origin. Sends nothing and prints nothing. */
import { measureArrival } from "./arrival.ts";
import type { Examination } from "./examine-route.ts";
import { findFaults } from "./find-faults.ts";
import { findNotes } from "./find-notes.ts";
import { findRefusal } from "./find-refusal.ts";
import type { Finding } from "./finding.ts";

export interface Diagnosis {
  /** `unclear`: no fault was seen, but the answer has not shown that the path streams. */
  verdict: "streams" | "faulty" | "unclear";
  findings: Finding[];
}

/** @param direct - The examination of the same route without the proxies. */
export function diagnose(examination: Examination, direct?: Examination): Diagnosis {
  const { answer } = examination;
  const own = direct && diagnose(direct);
  const refusal = findRefusal(answer);
  const found = refusal ? [refusal] : [...findFaults(examination, direct), ...findNotes(examination, direct)];
  const findings = found.map((finding) => (own ? compareWithDirect(finding, own) : finding));
  if (findings.some(({ severity }) => severity === "fault")) return { verdict: "faulty", findings };
  const { isSpread } = measureArrival(answer, examination);
  return { verdict: isSpread ? "streams" : "unclear", findings };
}

/** Whether a fault is in the server or in front of it. */
function compareWithDirect(finding: Finding, own: Diagnosis): Finding {
  if (finding.severity === "note") return finding;
  const same = own.findings.find(({ id }) => id === finding.id);
  if (same !== undefined) {
    // A setting of a proxy would not help.
    return { ...same, what: finding.what, culprit: "The server itself: asked directly, the same happens." };
  }
  if (own.verdict !== "streams") return finding;
  const proof = "Asked directly, the route streams, so the cause is in front of it.";
  return { ...finding, culprit: [proof, finding.culprit].filter(Boolean).join(" ") };
}
