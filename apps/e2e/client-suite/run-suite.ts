/**
 * The entry of the suite's page: runs every case against the server of the page, and writes a `SuiteReport` as the text
 * of `#report`. Needs nothing from the opener of the page.
 */
import * as client from "@kortyx/client";
import { createContext, stopJitter, suite } from "./suite.ts";
import type { SuiteCase, SuiteContext } from "./suite-case.ts";

/** The result of the whole suite. */
export interface SuiteReport {
  results: CaseResult[];
  /** Violations of the Content-Security-Policy during the suite. */
  violations: string[];
  /** Unhandled errors and rejections. */
  unhandled: string[];
  /** The directive that the page violates on purpose at the end: `script-src-elem`, if the policy is in force. */
  control: string;
  durationMs: number;
}

interface CaseResult {
  group: string;
  name: string;
  /** The reason why it failed. */
  error?: string;
  durationMs: number;
}

/** Browsers open six connections to one server: each case uses one or two. */
const concurrency = 3;
const caseTimeoutMs = 60_000;

const started = performance.now();
const report: SuiteReport = { results: [], violations: [], unhandled: [], control: "", durationMs: 0 };
addEventListener("error", ({ message }) => report.unhandled.push(message));
addEventListener("unhandledrejection", ({ reason }) => report.unhandled.push(String(reason)));
addEventListener("securitypolicyviolation", onViolation);

function onViolation({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void {
  report.violations.push(`${effectiveDirective} ${blockedURI}`);
}

async function runCase(group: string, one: SuiteCase, context: SuiteContext): Promise<CaseResult> {
  const caseStarted = performance.now();
  const result: CaseResult = { group, name: one.name, durationMs: 0 };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await Promise.race([
      one.run(context),
      new Promise((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`The case did not finish within ${caseTimeoutMs} ms.`)),
          caseTimeoutMs,
        );
      }),
    ]);
  } catch (error) {
    result.error = String(error instanceof Error ? error.message : error);
  }
  clearTimeout(timer);
  result.durationMs = Math.round(performance.now() - caseStarted);
  return result;
}

async function runAll(): Promise<void> {
  const context = await createContext(client, { baseUrl: location.origin, randomCuts: 300 });
  const restoreJitter = stopJitter();
  const all = suite.flatMap(({ name, cases }) => cases.map((one) => ({ group: name, one })));
  const together = all.filter(({ one }) => !one.isAlone);
  const work = async () => {
    for (let next = together.shift(); next !== undefined; next = together.shift()) {
      report.results.push(await runCase(next.group, next.one, context));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  for (const { group, one } of all.filter(({ one }) => one.isAlone)) {
    report.results.push(await runCase(group, one, context));
  }
  restoreJitter();
}

/** Violates the policy on purpose, to show that violations are reported. @returns the violated directive */
async function breakPolicy(): Promise<string> {
  removeEventListener("securitypolicyviolation", onViolation);
  const violated = new Promise<string>((resolve) => {
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(effectiveDirective));
    setTimeout(() => resolve("nothing"), 20_000);
  });
  const script = document.createElement("script");
  script.append("window.evaded = true");
  document.head.append(script);
  return violated;
}

try {
  await runAll();
  report.control = await breakPolicy();
} catch (error) {
  report.unhandled.push(String(error));
}
report.durationMs = Math.round(performance.now() - started);
const text = document.createElement("pre");
text.id = "report";
text.textContent = JSON.stringify(report);
document.body.append(text);
document.title = "over";
