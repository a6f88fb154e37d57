/**
 * What a case of the client suite is, and what it is given. Knows neither vitest nor the page: both run the same cases.
 */
import type * as client from "@kortyx/client";

export interface SuiteContext {
  /** The package under test, as it was built. */
  client: typeof client;
  /** Where the suite server is. */
  baseUrl: string;
  /** The same server under another origin, which allows nobody to read its answers. */
  foreignUrl: string;
  /** Where nobody listens. */
  refusedUrl: string;
  /** How many times the long run is cut. */
  randomCuts: number;
}

export interface SuiteCase {
  name: string;
  /** Where it makes sense; everywhere when it is absent. */
  where?: "page";
  /** It changes or counts what all share, and runs by itself. */
  isAlone?: true;
  /** Throws when the client does not behave. */
  run(context: SuiteContext): Promise<void>;
}

export interface SuiteGroup {
  name: string;
  cases: SuiteCase[];
}

/** Values of JSON are equal when they print alike, in whatever order their keys came. */
export function assertEqual(actual: unknown, expected: unknown, what: string): void {
  const [is, shouldBe] = [print(actual), print(expected)];
  if (is === shouldBe) return;
  let at = 0;
  while (is[at] === shouldBe[at]) at++;
  const excerpt = (text: string) => `${at > 60 ? "…" : ""}${text.slice(Math.max(0, at - 60), at + 240)}`;
  throw new Error(`${what}\nexpected: ${excerpt(shouldBe)}\n     got: ${excerpt(is)}`);
}

export function assert(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** `JSON.stringify` with sorted keys; what is undefined is left out of objects, as JSON does. */
function print(value: unknown): string {
  return (
    JSON.stringify(value, (_, part) =>
      typeof part === "object" && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ) ?? "undefined"
  );
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Names what a case does on the server, so that cases can run side by side and again. */
export const newId = (): string => crypto.randomUUID();

/** Asks the suite server for what it knows. */
export async function ask<Answer>(context: SuiteContext, path: string, id: string): Promise<Answer> {
  const response = await fetch(`${context.baseUrl}${path}?case=${id}`, { cache: "no-store" });
  return (await response.json()) as Answer;
}

/** What has not happened by then never will, however busy the machine is. */
const giveUpMs = 20_000;

/** Asks the suite server until it knows what is waited for. */
export async function askUntil<Answer>(
  context: SuiteContext,
  [path, id]: [path: string, id: string],
  isSo: (answer: Answer) => boolean,
  what: string,
): Promise<Answer> {
  const deadline = performance.now() + giveUpMs;
  for (;;) {
    const answer = await ask<Answer>(context, path, id);
    if (isSo(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`Still waiting after ${giveUpMs} ms: ${what}, but ${print(answer)}`);
    await pause(10);
  }
}
