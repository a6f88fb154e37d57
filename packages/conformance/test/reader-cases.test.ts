import { toChunk } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { Reading } from "../src/reader/expected-reading.ts";
import { type Body, deliveriesOf } from "../src/reader/reader-case.ts";
import { startCommand } from "../src/reader/start-command.ts";
import { type FedReader, readReaderCases, testReader } from "../src/reader/test-reader.ts";
import type { Result } from "../src/report.ts";
import { type Mistake, mistakes, NaiveReader } from "./naive-reader.ts";

type Pieces = (Uint8Array | null)[];
type Read = (pieces: Pieces) => Reading;

/** A reader in this process. */
function startWith(lines: AsyncIterable<string>, read: Read): FedReader {
  const given = lines[Symbol.asyncIterator]();
  return {
    async nextLine() {
      const pieces: (string | null)[] = JSON.parse((await given.next()).value);
      return JSON.stringify(
        read(pieces.map((piece) => (piece === null ? null : Buffer.from(piece, "base64")))),
      );
    },
    close() {},
  };
}

const startNaive = (mistake?: Mistake) => (lines: AsyncIterable<string>) =>
  startWith(lines, (pieces) => new NaiveReader(mistake).read(pieces));

async function failedOf(results: AsyncIterable<Result>): Promise<string[]> {
  const failed: string[] = [];
  for await (const { status, name, sent, expected, received } of results) {
    if (status === "failed") failed.push([name, ...sent, expected, received].join("\n"));
  }
  return failed;
}

const cases = readReaderCases();

test("a reader written from the page passes every case", async () => {
  expect(await failedOf(testReader(startNaive(), cases))).toEqual([]);
});

describe("a case notices that", () => {
  test.each(Object.entries(mistakes) as [Mistake, string][])("%s: %s", async (mistake, name) => {
    const own = cases.filter((one) => one.name === name);
    // A reader that resumes is known by the id that it reports for another body.
    if (own[0]?.isResumed) own.unshift(cases.find((one) => one.section === "2.3 (4)")!);
    expect(await failedOf(testReader(startNaive(mistake), own))).toEqual([expect.stringContaining(name)]);
  });
});

test("every case about a rule has a mistake", () => {
  const names = cases.map(({ name }) => name).filter((name) => !/^transcript |breaks off/.test(name));
  expect([...new Set<string>(Object.values(mistakes))].sort()).toEqual(names.sort());
});

describe("every transcript notices a reader that", () => {
  const transcripts = cases
    .filter(({ name }) => name.startsWith("transcript "))
    // Whole, and byte by byte.
    .map(({ bodies, ...one }) => ({ ...one, bodies: [{ ...bodies[0]!, cuts: "after CR" as const }] }));
  const readers: Record<string, Read> = {
    "loses the last chunk": (pieces) => {
      const { chunks, ...rest } = new NaiveReader().read(pieces);
      return { ...rest, chunks: chunks.length === 0 ? [{ type: "done" }] : chunks.slice(0, -1) };
    },
    "begins again with each piece": (pieces) => new NaiveReader().read(pieces.slice(-1)),
    "reports every answer as failed": (pieces) => {
      const { outcome, ...rest } = new NaiveReader().read(pieces);
      return { ...rest, outcome: outcome === "failed" ? "done" : "failed" };
    },
  };
  test.each(Object.entries(readers))("%s", async (_, read) => {
    const failed = await failedOf(testReader((lines) => startWith(lines, read), transcripts));
    expect(failed).toHaveLength(transcripts.length);
  });
});

test("every transcript comes whole, byte by byte, cut at every place, and broken off after each of its bytes", () => {
  const bodiesOf = (name: string) =>
    cases.filter((one) => one.name.startsWith(name)).flatMap(({ bodies }) => bodies);
  const transcripts = bodiesOf("transcript ").filter(({ variant }) => variant === "as it is");
  expect(transcripts.length).toBeGreaterThan(20);
  for (const body of transcripts) {
    const first = Array.from(deliveriesOf(body), ({ pieces }) => pieces[0]!.length);
    const places = Array.from(body.bytes, (_, at) => at).slice(1);
    // An empty body has none.
    expect(first.toSorted((one, other) => one - other)).toEqual(
      [Math.min(1, body.bytes.length), ...places, body.bytes.length].toSorted((one, other) => one - other),
    );
  }
  const total = transcripts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(bodiesOf("an answer that breaks off")).toHaveLength(total);
});

test("an answer that breaks off is not taken for complete", async () => {
  const own = cases.filter(({ name }) => name.includes("breaks off"));
  expect(await failedOf(testReader(startNaive("every end is complete"), own))).toHaveLength(1);
});

test("a failure shows the body, its pieces, and both readings", async () => {
  const one = cases.find(({ name }) => name === "a missing event is a violation")!;
  const [failed] = await failedOf(testReader(startNaive("a gap is ignored"), [one]));
  expect(failed!.split("\n")).toEqual([
    "a missing event is a violation",
    String.raw`body 1, whole: "id: r.0\ndata: {\"type\":\"text-delta\",\"delta\":\"0\"}\n\nid: r.2\ndata: {\"type\":\"text-delta\",\"delta\":\"1\"}\n\ndata: {\"type\":\"done\"}\n\n"`,
    '{"chunks":[{"type":"text-delta","delta":"0"}],"outcome":"violation","lastEventId":"r.0","retryMs":null}',
    '{"chunks":[{"type":"text-delta","delta":"0"},{"type":"text-delta","delta":"1"},{"type":"done"}],"outcome":"done","lastEventId":"r.2","retryMs":null}',
  ]);
});

test("a reader that reports no ids and no times is not compared in them, and gets no answer that is resumed", async () => {
  const read: Read = (pieces) => {
    const { chunks, outcome } = new NaiveReader().read(pieces);
    return { chunks, outcome };
  };
  const results: Result[] = [];
  const own = [...cases.slice(0, 3), ...cases.filter(({ isResumed }) => isResumed)];
  for await (const result of testReader((lines) => startWith(lines, read), own)) results.push(result);
  expect(results.map(({ name, status }) => [name, status]).slice(3)).toEqual([
    ...own.slice(3).map(({ name }) => [name, "not-tried"]),
    ["lastEventId", "not-tried"],
    ["retryMs", "not-tried"],
  ]);
});

test("a reader that holds its lines back until its input has ended is tested, too", async () => {
  async function* afterTheEnd(lines: AsyncIterable<string>): AsyncGenerator<string> {
    const held: string[] = [];
    for await (const line of lines) held.push(line);
    yield* held;
  }
  const own = [...cases.slice(0, 3), ...cases.filter(({ isResumed }) => isResumed)];
  const statuses: string[] = [];
  for await (const { status } of testReader((lines) => startNaive()(afterTheEnd(lines)), own)) {
    statuses.push(status);
  }
  expect(statuses).toEqual(own.map(() => "ok"));
});

test("chunks of unknown types may be left out, and null in an optional field stays or goes", async () => {
  const bodies = [
    'data: {"type":"x-later"}\n\ndata: {"type":"text-delta","delta":"Hi","id":null}\n\ndata: {"type":"done"}\n\n',
  ].map((body): Body => ({ variant: "", bytes: Buffer.from(body), cuts: "nowhere" }));
  const read = (isStrict: boolean) => (pieces: Pieces) => {
    const { chunks, ...rest } = new NaiveReader().read(pieces);
    return { ...rest, chunks: isStrict ? chunks.slice(1).map((chunk) => toChunk(chunk)) : chunks };
  };
  for (const isStrict of [true, false]) {
    const one = { name: "values", section: "2.4", bodies };
    expect(await failedOf(testReader((lines) => startWith(lines, read(isStrict)), [one]))).toEqual([]);
  }
});

test("half a character may be replaced, and two bytes by one or two U+FFFD", async () => {
  const body = 'data: {"type":"text-delta","delta":"a\\ud800b\\ufffd\\ufffd"}\n\ndata: {"type":"done"}\n\n';
  const bodies: Body[] = [{ variant: "", bytes: Buffer.from(body), cuts: "nowhere" }];
  const results = testReader(
    (lines) =>
      startWith(lines, (pieces) => {
        const { chunks, ...rest } = new NaiveReader().read(pieces);
        return { ...rest, chunks: [{ ...(chunks[0] as object), delta: "a\ufffdb\ufffd" }, chunks[1]] };
      }),
    [{ name: "halves", section: "2.4", bodies }],
  );
  expect(await failedOf(results)).toEqual([]);
});

describe("a command that", () => {
  const one = cases.slice(0, 1);
  const [first] = one[0]!.bodies;
  const waiting = JSON.stringify(Buffer.from(first!.bytes).toString());
  const node = (program: string) => `"${process.execPath}" -e "${program}"`;
  const run = (program: string, timeoutMs = 30_000) =>
    failedOf(testReader((lines) => startCommand(program, timeoutMs, lines), one));

  test("ends too early is reported", async () => {
    expect(await run(node("process.exit(7)"))).toEqual([
      `a line for each line\n${first!.variant}, whole: ${waiting}\na line of JSON for each line\nthe end of the command, with exit code 7`,
    ]);
  });

  test("prints nothing is reported, and ended", async () => {
    expect(await run(node("setTimeout(() => {}, 5000)"), 200)).toEqual([
      `a line for each line\n${first!.variant}, whole: ${waiting}\na line of JSON within 0.2 s\nnothing`,
    ]);
  });

  test("ends its last line with the end of its output is read", async () => {
    const report = '{\\"chunks\\":[],\\"outcome\\":\\"none\\"}';
    const [failure] = await run(node(`process.stdout.write('${report}')`));
    expect(failure!.split("\n").at(-1)).toBe("the end of the command, with exit code 0");
    expect(failure).toContain(`${first!.variant}, byte by byte`);
  });

  test("prints something else is reported", async () => {
    expect(await run(node("process.stdin.pipe(process.stdout)"))).toEqual([
      expect.stringContaining(first!.variant),
    ]);
  });
});
