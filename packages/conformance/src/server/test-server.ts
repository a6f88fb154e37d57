/** Runs all checks against a server. */
import { randomUUID } from "node:crypto";
import { parseEventId } from "@kortyx/protocol";
import { CheckFailure, NotTried } from "../check-failure.ts";
import type { Result } from "../report.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { Capability, Check } from "./check.ts";
import { requestChecks } from "./request-checks.ts";
import { runChecks } from "./run-checks.ts";
import { stopChecks } from "./stop-checks.ts";
import { streamChecks } from "./stream-checks.ts";
import { prompts, Target, type TargetOptions, Unreachable } from "./target.ts";

export const serverChecks: readonly Check[] = [
  ...streamChecks,
  ...requestChecks,
  ...runChecks,
  ...stopChecks,
];

export interface ServerTestOptions extends TargetOptions {
  /** Checks that need them fail if the server does not have them. */
  required?: readonly Capability[];
}

/**
 * Yields the results, in the order of the checks.
 *
 * @throws Unreachable if the server cannot be reached at all.
 */
export async function* testServer(
  options: ServerTestOptions,
  checks: readonly Check[] = serverChecks,
): AsyncGenerator<Result> {
  const findings = await explore(options);
  if (findings.stranger !== undefined) yield findings.stranger;
  const start = (one: Check) => runCheck(one, options, findings);
  const slow = new Map(checks.filter(({ isSlow }) => isSlow).map((one) => [one, start(one)]));
  for (const one of checks) yield (await slow.get(one)) ?? (await start(one));
}

/** What the first answers show. */
interface Findings {
  /** Why the checks of a capability are not tried; absent if the server has it. */
  missing: Partial<Record<Capability, string>>;
  /** Nothing is known, because the first answer failed. */
  isUnknown?: boolean;
  /** The agent answers in its own words. */
  stranger?: Result;
}

/** One that answers wrongly has nothing. */
async function explore(options: TargetOptions): Promise<Findings> {
  const target = new Target(options);
  const missing: Findings["missing"] = {
    runs: "Its events have no ids, so it has no runs.",
    sessions: "GET ?session= does not find an open run, so it keeps no sessions.",
    parts: "No run-start has acceptsParts, so it may not read the parts of messages.",
  };
  const findings: Findings = { missing };
  try {
    const first = await (await target.ask(prompts.echo("Hello"))).readAll();
    if (first.entries.some(({ id }) => parseEventId(id) !== undefined)) delete missing.runs;
    if (first.chunks.some((chunk) => chunk.type === "run-start" && chunk.acceptsParts === true))
      delete missing.parts;
    if (first.answerText !== "Hello") Object.assign(findings, await findStranger(target, first));
    const session = randomUUID();
    if (missing.runs === undefined) {
      await target.pause({ sessionId: session });
      if ((await target.get({ session })).status === 200) delete missing.sessions;
    }
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const isFirst = target.sent.length === 1;
    if (isFirst && error instanceof Unreachable) throw error;
    const reason = "The first answer failed, so it is unknown what the server has.";
    if (isFirst) return { missing: { runs: reason, sessions: reason, parts: reason }, isUnknown: true };
  } finally {
    await target.close();
  }
  return findings;
}

/** Finds an agent that does not know the prompts: `conformance:fail` then ends as the first question did. */
async function findStranger(target: Target, first: AnswerStream): Promise<Pick<Findings, "stranger">> {
  const second = await (await target.ask(prompts.fail)).readAll();
  if (second.outcome !== first.outcome) return {};
  return {
    stranger: {
      name: "the agent knows the prompts of the checks",
      section: "",
      status: "failed",
      sent: [...target.sent],
      expected: "the text Hello, and then a failure",
      received: `${first.describe()}; ${second.describe()}`,
      reason:
        "The agent does not seem to know the prompts, such as conformance:echo, so other checks fail, too. The README of @kortyx/conformance has an agent that does.",
    },
  };
}

async function runCheck(
  one: Check,
  options: ServerTestOptions,
  { missing, isUnknown }: Findings,
): Promise<Result> {
  const { name, section, isAdvice = false, needs, lacks } = one;
  const result = { name, section, sent: [] as string[] };
  const reason = needs && missing[needs];
  if (reason !== undefined) {
    return options.required?.includes(needs!)
      ? { ...result, status: "failed", expected: `a server with ${needs}`, received: reason }
      : { ...result, status: "not-tried", reason };
  }
  if (lacks !== undefined && isUnknown) return { ...result, status: "not-tried", reason: missing[lacks]! };
  if (lacks !== undefined && missing[lacks] === undefined)
    return { ...result, status: "not-tried", reason: `It has ${lacks}.` };
  const target = new Target(options);
  try {
    await one.run(target);
    return { ...result, status: "ok" };
  } catch (error) {
    if (error instanceof NotTried) return { ...result, status: "not-tried", reason: error.message };
    if (!(error instanceof CheckFailure)) throw error;
    const { expected, received } = error;
    return { ...result, status: isAdvice ? "advice" : "failed", sent: [...target.sent], expected, received };
  } finally {
    await target.close();
  }
}
