/** Runs all checks against a server. */
import { randomUUID } from "node:crypto";
import { parseEventId } from "@kortyx/protocol";
import { CheckFailure, NotTried } from "../check-failure.ts";
import type { Result } from "../report.ts";
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
  const found = await findCapabilities(options);
  const start = (one: Check) => runCheck(one, options, found);
  const slow = new Map(checks.filter(({ isSlow }) => isSlow).map((one) => [one, start(one)]));
  for (const one of checks) yield (await slow.get(one)) ?? (await start(one));
}

type Capabilities = Record<Capability, boolean>;

/** Why the checks of a capability were not tried. */
const reasons: Record<Capability, string> = {
  runs: "Its events have no ids, so it has no runs.",
  sessions: "GET ?session= does not find an open run, so it keeps no sessions.",
  parts: "No run-start has acceptsParts, so it may not read the parts of messages.",
};

/** What the server shows in its answers. One that answers wrongly has nothing. */
async function findCapabilities(options: TargetOptions): Promise<Capabilities> {
  const target = new Target(options);
  const found: Capabilities = { runs: false, sessions: false, parts: false };
  try {
    const { entries } = await (await target.ask(prompts.echo("Hello"))).readAll();
    found.runs = entries.some(({ id }) => parseEventId(id) !== undefined);
    found.parts = entries.some(({ chunk }) => chunk.type === "run-start" && chunk.acceptsParts === true);
    const session = randomUUID();
    if (found.runs) {
      await target.pause({ sessionId: session });
      found.sessions = (await target.get({ session })).status === 200;
    }
  } catch (error) {
    if (!(error instanceof CheckFailure) || error instanceof Unreachable) throw error;
  } finally {
    await target.close();
  }
  return found;
}

async function runCheck(one: Check, options: ServerTestOptions, found: Capabilities): Promise<Result> {
  const { name, section, isAdvice = false, needs, lacks } = one;
  const result = { name, section, sent: [] as string[] };
  if (needs !== undefined && !found[needs]) {
    return options.required?.includes(needs)
      ? { ...result, status: "failed", expected: `a server with ${needs}`, received: reasons[needs] }
      : { ...result, status: "not-tried", reason: reasons[needs] };
  }
  if (lacks !== undefined && found[lacks])
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
