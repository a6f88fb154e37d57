/** The command line: `doctor <url>` and its options. Measures nothing itself. */
import { parseArgs } from "node:util";
import { describeFailure } from "./describe-failure.ts";
import { type Diagnosis, diagnose } from "./diagnose.ts";
import { type Examination, type ExaminationOptions, examineRoute } from "./examine-route.ts";
import { type Finding, pageAt } from "./finding.ts";
import { answersOf, printReport } from "./print-report.ts";

/** A question whose answer takes a few seconds, and costs little. */
const defaultMessage = "Count from one to fifty in words, one number per line.";

const usage = `Usage: npx @kortyx/server doctor <url> [options]

Asks a live route for an answer, and shows where its bytes are held back.
It makes up to five requests, of which one or two start an answer of the agent.

  --message <text>   the question (default: "${defaultMessage}")
  --body <json>      the whole body of the request, instead of --message
  --header <line>    a header of each request, such as 'cookie: session=1'; may be repeated
  --direct <url>     the same route without the proxies: shows on which side a fault is
  --timeout <s>      how long to read an answer, in seconds (default: 120)
  --json             prints what was measured and found as JSON

Exit code: 0 if the route streams, 1 if it does not or if it was not possible to see.
`;

/** A command that cannot be run. */
class UsageError extends Error {}

interface Command {
  target: ExaminationOptions;
  direct: ExaminationOptions | undefined;
  json: boolean;
}

interface Surroundings {
  /** Receives the text for standard output. */
  print: (text: string) => void;
  /** `repository.url` of the package, as in `git+https://github.com/owner/name.git`. */
  repositoryUrl: string | undefined;
}

/**
 * Runs the command, and prints its report.
 *
 * @returns the exit code.
 */
export async function runCommand(args: string[], surroundings: Surroundings): Promise<number> {
  try {
    const command = parseCommand(args);
    if (command === undefined) {
      surroundings.print(usage);
      return 0;
    }
    return await runDoctor(command, surroundings);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return 1;
  }
}

async function runDoctor(
  { target, direct, json }: Command,
  { print, repositoryUrl }: Surroundings,
): Promise<number> {
  if (!json) print(`Asking ${target.url} ...\n\n`);
  const failures: Finding[] = [];
  const examine = async (options: ExaminationOptions) => {
    try {
      return await examineRoute(options);
    } catch (error) {
      failures.push(describeFailure(error, options.url));
      return undefined;
    }
  };
  const examination = await examine(target);
  const directExamination = examination && direct && (await examine(direct));
  const { verdict, findings } = toDiagnosis(examination, directExamination, failures);
  const diagnosis = {
    verdict,
    findings: findings.map((finding) => ({ ...finding, page: pageAt(finding.page, repositoryUrl) })),
  };
  const answers = examination ? answersOf(examination, directExamination) : [];
  print(json ? `${JSON.stringify({ answers, ...diagnosis }, null, 2)}\n` : printReport(answers, diagnosis));
  return verdict === "streams" ? 0 : 1;
}

/** A route that sent no response is not right, whatever the other one did. */
function toDiagnosis(
  examination: Examination | undefined,
  direct: Examination | undefined,
  failures: Finding[],
): Diagnosis {
  const diagnosis = examination && diagnose(examination, direct);
  if (diagnosis !== undefined && failures.length === 0) return diagnosis;
  return { verdict: "faulty", findings: [...failures, ...(diagnosis?.findings ?? [])] };
}

/** @returns `undefined` if only the usage was asked for. @throws UsageError */
function parseCommand(args: string[]): Command | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [name, url, ...rest] = positionals;
  if (name !== "doctor") throw new UsageError(`Unknown command: ${name ?? "none"}; expected doctor.`);
  if (url === undefined || rest.length > 0) throw new UsageError("doctor expects one URL.");
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new UsageError(`--timeout must be a number of seconds above 0; got ${values.timeout}.`);
  }
  const body = values.body ?? JSON.stringify({ messages: [{ role: "user", content: values.message }] });
  const common = { headers: parseHeaders(values.header), body, timeoutMs };
  return {
    target: { url: parseUrl(url), ...common },
    direct: values.direct === undefined ? undefined : { url: parseUrl(values.direct), ...common },
    json: values.json,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        message: { type: "string", default: defaultMessage },
        body: { type: "string" },
        header: { type: "string", multiple: true, default: [] },
        direct: { type: "string" },
        timeout: { type: "string", default: "120" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new UsageError(`Expected a URL such as https://your.host/api/chat; got ${text}.`);
}

function parseHeaders(lines: string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(line) ?? [];
      if (name === undefined) throw new UsageError(`--header expects 'name: value'; got ${line}.`);
      return [name.toLowerCase(), value!];
    }),
  );
}
