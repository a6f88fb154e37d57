/** The tables of docs/scaling.md, from measured values. */
import { median } from "../harness/statistics.ts";
import { formatNumber } from "../report/format.ts";
import { createModel, type Kind, load, type Model } from "./model.ts";

/** The record of a run. */
export interface Measured {
  date: string;
  machine: string;
  /** One value for each round. */
  values: Record<string, number[]>;
}

/** The median of a value. */
export type ValueOf = (path: string) => number;

type Row = (string | number)[];

const table = (head: string[], rows: Row[]): string => {
  const line = (cells: Row) =>
    `| ${cells.map((cell) => (typeof cell === "number" ? formatNumber(cell) : cell)).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
};

const kinds = ["plain", "memory", "sqlite", "redis"] as const satisfies Kind[];

function serverTable(of: ValueOf, model: Model): string {
  const row = (what: string, name: string, divisor = 1): Row => [
    what,
    ...kinds.map((kind) => of(`server.${kind}.${name}`) / divisor),
  ];
  return table(
    ["", "plain stream", "memory", "SQLite", "Redis"],
    [
      row("CPU for each chunk of short text, µs", "shortUs"),
      row("… of 200 characters", "longUs"),
      row("… an object of 4 KB", "objectUs"),
      row("CPU for each chunk and reader, 10 readers of a run, µs", "readers10Us"),
      row("… 100 readers", "readers100Us"),
      row("CPU for each answer, in addition to its chunks, µs", "answerUs"),
      row("CPU for each second of a silent answer, µs", "idleUsPerSecond"),
      row("heap of an open stream, KiB", "idleHeapBytes", 1024),
      row("memory of a process without streams, MiB", "baseBytes", 2 ** 20),
      row("bytes to the client for each chunk of short text", "shortBytes"),
      row("… an object of 4 KB", "objectBytes"),
      [
        `**streams of ${load.chunksPerSecond} chunks a second that fill one core**`,
        ...kinds.map(model.streamsOfCore),
      ],
    ],
  );
}

const scriptNames = {
  open: "open a run",
  append1: "append 1 chunk",
  append8: "append 8 chunks",
  read1: "read 1 chunk",
  read8: "read 8 chunks",
  renew: "renew a lease",
  end: "end a run",
};

function scriptsTable(of: ValueOf): string {
  const rows = Object.entries(scriptNames).map(([name, what]): Row => {
    const value = (part: string, unit: string) => of(`redis.${part}scripts.${name}${unit}`);
    return [what, value("", "Us"), value("cluster.", "Us"), value("", "In"), value("", "Out")];
  });
  return table(["script", "CPU of one node, µs", "of a node of three, µs", "bytes in", "bytes out"], rows);
}

function answersTable(of: ValueOf): string {
  const row = (what: string, part: string): Row => [
    what,
    ...["scripts", "cpuUs", "bytesIn", "bytesOut"].map((name) => of(`redis.${part}.${name}`)),
  ];
  return table(
    ["", "scripts", "CPU of Redis, µs", "bytes in", "bytes out"],
    [
      row("a chunk, without a reader", "followed0"),
      row("a chunk, read in the process that writes it", "followed1"),
      row("… the same in a cluster of three", "cluster.followed1"),
      row("… and in another process too", "followed2"),
      row("a second of a silent answer, read where it is written", "silent"),
      row("an answer, in addition to its chunks", "answer"),
      row("… the same in a cluster of three", "cluster.answer"),
    ],
  );
}

const runChunks = 100;

/** By the CPU of the busiest node. */
function nodesTable(of: ValueOf): string {
  const perSecond = (us: number, isCluster: boolean) =>
    1e6 / us / (isCluster ? of("redis.balance.users") : 1);
  const columns = [false, true].map((isCluster) => {
    const part = isCluster ? "redis.cluster." : "redis.";
    const script = (name: string) => of(`${part}scripts.${name}Us`);
    const run = script("open") + runChunks * script("append1") + script("end");
    return [
      perSecond(run, isCluster),
      perSecond(of(`${part}answer.cpuUs`) + runChunks * of(`${part}followed1.cpuUs`), isCluster),
      perSecond(of(`${part}followed1.cpuUs`), isCluster),
      perSecond((script("append8") + script("read8")) / 8, isCluster),
    ];
  });
  const names = [
    `runs a second: opened, ${runChunks} appends, ended; without readers`,
    `answers a second of ${runChunks} chunks, read where they are written`,
    "chunks a second, each alone, read once",
    "chunks a second, in batches of 8, read once",
  ];
  const rows = names.map((what, index): Row => [what, columns[0]![index]!, columns[1]![index]!]);
  const share = (name: string) => `${(of(`redis.balance.${name}`) * 100).toFixed(1)} %`;
  return table(
    ["the CPU of the busiest node allows", "one node", "three"],
    [
      ...rows,
      ["share of the busiest node in 3,000 runs of as many users", "100 %", share("users")],
      ["… of visitors without an account", "100 %", share("anonymous")],
    ],
  );
}

function memoryTable(of: ValueOf): string {
  const kept = (what: string, name: string): Row => [
    what,
    of(`redis.memory.${name}`),
    of(`redis.cluster.memory.${name}`),
  ];
  const count = (part: string) => String(Math.round(of(`redis.${part}.subscriptions`)));
  const others = of("redis.followed2.subscriptions") - of("redis.followed1.subscriptions");
  return table(
    ["Redis keeps", "one node", "three"],
    [
      kept("a run of one chunk, with the names of its owner, session and key, bytes", "runBytes"),
      kept("each further chunk of short text, bytes", "chunkBytes"),
      kept("… of that, in addition to its JSON", "chunkExtraBytes"),
      ["subscriptions of a run, for its own process", count("followed1"), count("cluster.followed1")],
      ["… and for each further process that follows it", String(Math.round(others)), "–"],
    ],
  );
}

const whole = (value: number): string => Math.ceil(value).toLocaleString("en");
const gibibytes = (bytes: number): string => `${formatNumber(bytes / 2 ** 30)} GiB`;
const megabits = (bytesPerSecond: number): string => `${formatNumber((bytesPerSecond * 8) / 1e6)} Mbit/s`;

function sizingTable(model: Model): string {
  const sizes = [1_000, 100_000, 1_000_000].map((answers) => model.size(answers));
  const row = (what: string, cell: (size: (typeof sizes)[number]) => string): Row => [
    what,
    ...sizes.map(cell),
  ];
  return table(
    ["concurrent answers", "1,000", "100,000", "1,000,000"],
    [
      row("server processes, plain streams", ({ plain }) => whole(plain.processes)),
      row("server processes, runs in Redis", ({ redis }) => whole(redis.processes)),
      row("streams of each of these", ({ redis }) => whole(redis.streams)),
      row("memory of each", ({ redis }) => gibibytes(redis.memoryBytes)),
      row("file descriptors of each", ({ redis }) => whole(redis.files)),
      row("bytes to the clients", ({ redis }) => megabits(redis.clientBytesPerSecond)),
      row("connections through the proxies, both sides", ({ answers }) => whole(answers * 2)),
      row("scripts a second in Redis", ({ scriptsPerSecond }) => whole(scriptsPerSecond)),
      row("**masters of Redis**, by CPU", ({ redisNodes }) => whole(redisNodes)),
      row("memory of all masters", ({ redisBytes }) => gibibytes(redisBytes)),
      row("bytes in and out of all masters", ({ redisBytesPerSecond }) => megabits(redisBytesPerSecond)),
      row("connections of each master", ({ redisConnections }) => whole(redisConnections)),
    ],
  );
}

/** What changes the sizes of 100,000 answers. */
function changesTable(of: ValueOf): string {
  const row = (what: string, changed: Partial<typeof load>): Row => {
    const { redis, redisNodes, redisBytes } = createModel(of, { ...load, ...changed }).size(100_000);
    return [what, whole(redis.processes), whole(redisNodes), gibibytes(redisBytes)];
  };
  const { plain } = createModel(of).size(100_000);
  return table(
    ["100,000 answers", "processes", "masters", "memory of Redis"],
    [
      row("as above", {}),
      row("5 chunks a second instead of 20, four times as long", { chunksPerSecond: 5 }),
      row("runs are kept for 1 minute (`retentionMs: 60_000`)", { retentionSeconds: 60 }),
      row("both", { chunksPerSecond: 5, retentionSeconds: 60 }),
      ["plain streams, without runs", whole(plain.processes), "0", "0"],
    ],
  );
}

function machineLine({ date, machine, values }: Measured): string {
  const rounds = Math.min(...Object.values(values).map((found) => found.length));
  return `${date}, ${rounds === 1 ? "one round" : `medians of ${rounds} rounds`}, on ${machine}.`;
}

/** @returns the page with all of its tables. @throws for a marker without a table. */
export function fillPage(page: string, measured: Measured): string {
  const of: ValueOf = (path) => median(measured.values[path] ?? []);
  const model = createModel(of);
  const tables: Record<string, () => string> = {
    machine: () => machineLine(measured),
    server: () => serverTable(of, model),
    scripts: () => scriptsTable(of),
    answers: () => answersTable(of),
    nodes: () => nodesTable(of),
    memory: () => memoryTable(of),
    sizing: () => sizingTable(model),
    changes: () => changesTable(of),
  };
  return page.replace(
    /(<!-- measured: (\w+) -->\n)[\s\S]*?(\n<!-- \/measured -->)/g,
    (_, start: string, name: string, end: string) => {
      const render = tables[name];
      if (render === undefined) throw new Error(`There is no table ${name}.`);
      return start + render() + end;
    },
  );
}
