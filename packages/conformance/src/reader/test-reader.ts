/** Feeds a reader with every case, a line of JSON for each delivery of each body, and judges its lines. */
import { CheckFailure, show } from "../check-failure.ts";
import type { Result } from "../report.ts";
import { isSameReading, parseReading, type Reading, readHere } from "./expected-reading.ts";
import { type Body, type Delivery, deliveriesOf, type ReaderCase } from "./reader-case.ts";
import { readTranscriptCases } from "./transcript-cases.ts";
import { wireCases } from "./wire-cases.ts";

/** A reader that is fed: it prints one line for each line that it gets. */
export interface FedReader {
  /** @throws CheckFailure if no line comes. */
  nextLine(): Promise<string>;
  close(): void;
}

export const readReaderCases = (): ReaderCase[] => [...wireCases, ...readTranscriptCases()];

/** What some readers do not report. */
type Detail = "lastEventId" | "retryMs";

interface Progress {
  /** Whether the reader reports it. */
  details: Record<Detail, boolean>;
  /** What the reader has not answered. */
  waitsFor: string[];
}

type Start = (lines: AsyncIterable<string>) => FedReader;

/**
 * Yields the results, in the order of the cases. Starts the reader once more for those that are resumed, if its lines show
 * that it resumes: a reader may hold its last lines back until its input has ended.
 */
export async function* testReader(
  start: Start,
  cases: readonly ReaderCase[] = readReaderCases(),
): AsyncGenerator<Result> {
  const plain = cases.filter(({ isResumed }) => !isResumed);
  const resumed = cases.filter(({ isResumed }) => isResumed);
  const progress: Progress = { details: { lastEventId: false, retryMs: false }, waitsFor: [] };
  if (!(yield* runCases(plain, start, progress))) return;
  if (!progress.details.lastEventId) yield* resumed.map(notResumed);
  else if (!(yield* runCases(resumed, start, progress))) return;
  for (const [detail, isReported] of Object.entries(progress.details)) {
    const reason = `No line has ${detail}, so it was not compared.`;
    if (!isReported) yield { name: detail, section: "4.2", status: "not-tried", sent: [], reason };
  }
}

/** @returns whether the reader printed a line for each line: without, it cannot be followed any further. */
async function* runCases(
  cases: readonly ReaderCase[],
  start: Start,
  progress: Progress,
): AsyncGenerator<Result, boolean> {
  const reader = start(linesOf(cases));
  try {
    for (const one of cases) yield await runCase(one, reader, progress);
    return true;
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const { expected, received } = error;
    const sent = progress.waitsFor;
    yield { name: "a line for each line", section: "", status: "failed", sent, expected, received };
    return false;
  } finally {
    reader.close();
  }
}

const notResumed = ({ name, section }: ReaderCase): Result => {
  const reason = "No line has lastEventId, so the reader does not resume.";
  return { name, section, status: "not-tried", sent: [], reason };
};

/** What the reader gets: lists of pieces in base64. */
async function* linesOf(cases: readonly ReaderCase[]): AsyncGenerator<string> {
  for (const { bodies } of cases) {
    for (const body of bodies) {
      for (const { pieces } of deliveriesOf(body)) {
        yield `${show(pieces.map((piece) => piece && Buffer.from(piece).toString("base64")))}\n`;
      }
    }
  }
}

async function runCase(
  { name, section, bodies }: ReaderCase,
  reader: FedReader,
  progress: Progress,
): Promise<Result> {
  let failure: Pick<Result, "sent" | "expected" | "received"> | undefined;
  for (const body of bodies) {
    const expected = readHere(body.bytes, ...(body.rest === undefined ? [] : [body.rest]));
    /** Most lines of a body are the same. */
    let lastGood: string | undefined;
    for (const delivery of deliveriesOf(body)) {
      const line = await reader.nextLine().catch((error: unknown) => {
        progress.waitsFor = describe(body, delivery);
        throw error;
      });
      // Only the first failure is reported, and the lines of the others are skipped.
      if (line === lastGood || failure !== undefined) continue;
      const reading = parseReading(line);
      if (reading !== undefined && isSameReading(reading, expected)) {
        lastGood = line;
        progress.details.lastEventId ||= reading.lastEventId !== undefined;
        progress.details.retryMs ||= reading.retryMs !== undefined;
      } else {
        const received = line.slice(0, 600);
        failure = { sent: describe(body, delivery), expected: printed(expected, reading), received };
      }
    }
  }
  const result = { name, section, sent: [] };
  return failure === undefined ? { ...result, status: "ok" } : { ...result, status: "failed", ...failure };
}

/** Without what the reader does not report. */
const printed = (
  { lastEventId, retryMs, ...expected }: Required<Reading>,
  reading: Reading | undefined,
): string =>
  show({
    ...expected,
    ...(reading?.lastEventId === undefined ? {} : { lastEventId }),
    ...(reading?.retryMs === undefined ? {} : { retryMs }),
  });

function describe({ variant, bytes, rest }: Body, { how }: Delivery): string[] {
  const first = `${variant}, ${how}: ${excerptOf(bytes)}`;
  return [rest === undefined ? first : `${first}, and then ${excerptOf(rest)}`];
}

function excerptOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  return show(text.length > 600 ? `…${text.slice(-600)}` : text);
}
