/**
 * A case of the client suite and its context. Knows neither vitest nor the page: both run the same cases.
 */
import type * as client from "@kortyx/client";

export interface SuiteContext {
  /** The built package under test. */
  client: typeof client;
  /** The URL of the suite server. */
  baseUrl: string;
  /** The same server under another origin, which does not allow reading its responses. */
  crossOriginUrl: string;
  /** A URL at which no server listens. */
  refusedUrl: string;
  /** The number of cuts of the long run. */
  randomCuts: number;
}

export interface SuiteCase {
  name: string;
  /** The only environment in which it makes sense; if absent, it runs in both. */
  where?: "page";
  /** It changes or counts shared state, and so runs alone. */
  isAlone?: true;
  /** Throws when the client misbehaves. */
  run(context: SuiteContext): Promise<void>;
}

export interface SuiteGroup {
  name: string;
  cases: SuiteCase[];
}

/** JSON values are equal when they print the same, regardless of the order of their keys. */
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

/** `JSON.stringify` with sorted keys; undefined properties are omitted, as in JSON. */
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

/** Identifies the state of a case on the server, so that cases can run side by side and repeatedly. */
export const newId = (): string => crypto.randomUUID();

/** Requests the suite server's record of a case. */
export async function queryServer<Answer>(context: SuiteContext, path: string, id: string): Promise<Answer> {
  const response = await fetch(`${context.baseUrl}${path}?case=${id}`, { cache: "no-store" });
  return (await response.json()) as Answer;
}

/** An event that has not happened by then never will, even on a busy machine. */
const giveUpMs = 20_000;

/** Polls the suite server until the condition holds. */
export async function pollServer<Answer>(
  context: SuiteContext,
  [path, id]: [path: string, id: string],
  isMet: (answer: Answer) => boolean,
  what: string,
): Promise<Answer> {
  const deadline = performance.now() + giveUpMs;
  for (;;) {
    const answer = await queryServer<Answer>(context, path, id);
    if (isMet(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`Still waiting after ${giveUpMs} ms until ${what}; got ${print(answer)}`);
    await pause(10);
  }
}
