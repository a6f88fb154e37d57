/** The results of checks, and their text. */

export interface Result {
  /** What was checked, as a sentence. */
  name: string;
  /** The section of docs/protocol.md. */
  section: string;
  /** `advice`: something that the protocol recommends does not hold. */
  status: "ok" | "failed" | "advice" | "not-tried";
  /** The requests of the check, in order; empty if it held. */
  sent: string[];
  expected?: string;
  received?: string;
  /** Why it was not tried, or, of one that failed, why others will fail, too. */
  reason?: string;
}

const labels = { ok: "ok", failed: "FAILED", advice: "advice", "not-tried": "not tried" };

/** One line, and below it what a reader needs to repair it. */
export function printResult({ name, section, status, sent, expected, received, reason }: Result): string {
  const details: [label: string, text: string | undefined][] = [
    ...sent.map((request): [string, string] => ["sent", request]),
    ["expected", expected],
    ["received", received],
    ["", reason],
  ];
  const lines = details.flatMap(([label, text]) =>
    text === undefined ? [] : [`            ${label.padEnd(label === "" ? 0 : 10)}${text}`],
  );
  return [`${labels[status].padEnd(11)} ${name}${section && ` (${section})`}`, ...lines].join("\n");
}

/** The end of a report: what explains several failures, and the counts. */
export function printSummary(results: readonly Result[]): string {
  const count = (status: Result["status"]) => results.filter((result) => result.status === status).length;
  const { ok, failed, advice, "not-tried": notTried } = labels;
  const hints = results.flatMap(({ status, reason }) => (status === "failed" && reason) || []);
  const counts = `${count("ok")} ${ok}, ${count("failed")} ${failed}, ${count("advice")} ${advice}, ${count("not-tried")} ${notTried}. The sections are those of docs/protocol.md.`;
  return [...hints, counts].join("\n");
}

/** Whether everything that was tried holds. */
export const holds = (results: readonly Result[]): boolean =>
  results.length > 0 && results.every(({ status }) => status !== "failed");
