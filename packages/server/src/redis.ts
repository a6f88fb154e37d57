/**
 * Runs in Redis: they survive every process but Redis itself, and all machines see them. Works with a client of the
 * `redis` package, version 5 or later, of which it uses little enough to be satisfied by another.
 */
import { checkOption, parseTimeoutMs, stringifyChunk } from "@kortyx/protocol";
import {
  type AppendResult,
  type OpenedRun,
  producerLost,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  stopped,
  stoppedKeyMs,
} from "./run-store.ts";
import { createRunWaiters } from "./run-waiters.ts";
import { startInterval, startTimer, type Timer, unref } from "./start-timer.ts";

/** What is used of a client; it must be connected, and stays the caller's. */
export interface RedisClient {
  scriptLoad(script: string): Promise<string>;
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /** For the one connection that listens. */
  duplicate(): RedisSubscriber;
}

export interface RedisSubscriber {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: "error", listener: (error: unknown) => void): unknown;
  destroy(): unknown;
}

export interface RedisRunStoreOptions extends RunStoreOptions {
  client: RedisClient;
  /** Before every key and channel. @defaultValue `"kortyx:"` */
  prefix?: string | undefined;
  /**
   * How long a command may take, in milliseconds, where a client that is offline would wait; 0 is forever.
   *
   * @defaultValue 2000
   */
  commandTimeoutMs?: number | undefined;
}

/** A wake-up that is lost costs this much. */
const tickMs = 1_000;
/** A run that nobody has waited for in this many ticks is not listened to any more. */
const lingerTicks = 5;

/** The clock is the store's own: those of the machines differ. */
const now = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/**
 * In every script, `P` is the prefix. A run is a hash; its log a stream whose entry `seq` has the id `<seq + 1>-0`,
 * because 0-0 is none. Both expire when they were kept long enough; a run that is open is renewed with its lease.
 */
const library = `
${now}
local P = ARGV[1]
local LEASE = tonumber(ARGV[2])
local KEEP = tonumber(ARGV[3])
local function run_key(id) return P .. 'run:' .. id end
local function log_key(id) return P .. 'log:' .. id end
local function keep(id, owner, ms)
  redis.call('PEXPIRE', run_key(id), ms)
  redis.call('PEXPIRE', log_key(id), ms)
  local names = redis.call('HMGET', run_key(id), 'keyName', 'sessionName')
  if names[1] then redis.call('PEXPIRE', names[1], ms) end
  -- Other runs of the owner and of the session may be open for longer.
  redis.call('PEXPIRE', P .. 'open:' .. owner, LEASE + KEEP)
  if names[2] then redis.call('PEXPIRE', names[2], LEASE + KEEP) end
end
local function record(id)
  return redis.call('HMGET', run_key(id), 'owner', 'session', 'seq', 'terminal', 'hash', 'lease')
end
local function finish(id, run, terminal)
  if run[4] then return run[4] end
  local seq = tonumber(run[3]) + 1
  redis.call('XADD', log_key(id), (seq + 1) .. '-0', 'json', terminal)
  redis.call('HSET', run_key(id), 'seq', seq, 'terminal', terminal)
  redis.call('SREM', P .. 'open:' .. run[1], id)
  keep(id, run[1], KEEP)
  redis.call('PUBLISH', P .. 'ended', id)
  return terminal
end
local function lease(id, run)
  redis.call('HSET', run_key(id), 'lease', now + LEASE)
  if redis.call('PTTL', run_key(id)) < LEASE * 2 / 3 + KEEP then keep(id, run[1], LEASE + KEEP) end
end
`;

const scripts = {
  /** id, owner, session, key, hash, maxOpenRuns, allowActiveRun, producerLost, stopped */
  open: `
local id, owner, session, key, hash = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local keyName = P .. 'key:' .. #owner .. ':' .. owner .. ':' .. key
local sessionName = P .. 'session:' .. #owner .. ':' .. owner .. ':' .. session
if key ~= '' then
  local known = redis.call('GET', keyName)
  local run = known and record(known)
  if run and run[1] then
    if run[5] ~= hash then return {'key-conflict'} end
    return {'attached', known, unpack(run, 1, 4)}
  end
end
local open = 0
for _, other in ipairs(redis.call('SMEMBERS', P .. 'open:' .. owner)) do
  local run = record(other)
  if not run[1] then
    redis.call('SREM', P .. 'open:' .. owner, other)
  elseif tonumber(run[6]) <= now then
    finish(other, run, ARGV[11])
  else
    if ARGV[10] == '0' and session ~= '' and run[2] == session then return {'run-active', other, unpack(run, 1, 4)} end
    open = open + 1
  end
end
if open >= tonumber(ARGV[9]) then return {'too-many-runs'} end
redis.call('HSET', run_key(id), 'owner', owner, 'session', session, 'seq', -1, 'hash', hash, 'lease', now + LEASE)
redis.call('SADD', P .. 'open:' .. owner, id)
if session ~= '' then
  redis.call('SET', sessionName, id)
  redis.call('HSET', run_key(id), 'sessionName', sessionName)
end
local wasStopped = false
if key ~= '' then
  redis.call('SET', keyName, id)
  redis.call('HSET', run_key(id), 'keyName', keyName)
  wasStopped = redis.call('DEL', keyName .. ':stopped') == 1
end
keep(id, owner, LEASE + KEEP)
if wasStopped then finish(id, record(id), ARGV[12]) end
return {'created', id, unpack(record(id), 1, 4)}`,

  /** id, firstSeq, entries… */
  append: `
local id, first = ARGV[4], tonumber(ARGV[5])
local run = record(id)
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
local seq = tonumber(run[3])
if first > seq + 1 then return 'lost' end
local last = first + #ARGV - 6
if first <= seq and last >= first then
  local known = redis.call('XRANGE', log_key(id), (first + 1) .. '-0', '+', 'COUNT', last - first + 1)
  for i, entry in ipairs(known) do
    if entry[2][2] ~= ARGV[5 + i] then return 'lost' end
  end
end
for i = seq + 1, last do
  redis.call('XADD', log_key(id), (i + 1) .. '-0', 'json', ARGV[6 + i - first])
end
if last > seq then redis.call('HSET', run_key(id), 'seq', last) end
if seq == -1 then keep(id, run[1], LEASE + KEEP) end
lease(id, run)
redis.call('PUBLISH', P .. 'log:' .. id, last)
return 'ok'`,

  /** id */
  renew: `
local run = record(ARGV[4])
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
lease(ARGV[4], run)
return 'ok'`,

  /** id, terminal, lastSeq, producerLost */
  end: `
local run = record(ARGV[4])
if not run[1] then return false end
local isWhole = tonumber(run[3]) >= tonumber(ARGV[6])
return finish(ARGV[4], run, isWhole and ARGV[5] or ARGV[7])`,

  /** id, producerLost */
  endIfLeaseExpired: `
local run = record(ARGV[4])
if not run[1] then return false end
if not run[4] and tonumber(run[6]) > now then return false end
return finish(ARGV[4], run, ARGV[5])`,

  /** id, after, limit */
  read: `
local run = record(ARGV[4])
if not run[1] then return false end
local entries = {}
if tonumber(ARGV[6]) > 0 and tonumber(ARGV[5]) < tonumber(run[3]) then
  local first = (tonumber(ARGV[5]) + 2) .. '-0'
  local found = redis.call('XRANGE', log_key(ARGV[4]), first, '+', 'COUNT', ARGV[6])
  -- A log that was evicted, wholly or in its first part, is lost.
  if not found[1] or found[1][1] ~= first then return false end
  for i, entry in ipairs(found) do entries[i] = entry[2][2] end
end
return {run[1], run[2], run[3], run[4], entries, math.ceil(run[6] - now)}`,

  /** owner, session */
  latest: `
local id = redis.call('GET', P .. 'session:' .. #ARGV[4] .. ':' .. ARGV[4] .. ':' .. ARGV[5])
local run = id and record(id)
if not run or not run[1] then return false end
return {id, unpack(run, 1, 4)}`,

  /** owner, key, rememberMs */
  stopKey: `
local keyName = P .. 'key:' .. #ARGV[4] .. ':' .. ARGV[4] .. ':' .. ARGV[5]
local id = redis.call('GET', keyName)
if id and redis.call('EXISTS', run_key(id)) == 1 then return id end
redis.call('SET', keyName .. ':stopped', '1', 'PX', ARGV[6])
return false`,
};

/** Owner, session, position and terminal, as the scripts give them. */
type Fields = [string, string, string, string | null];

/**
 * Creates a store. Guarantees hold for what Redis keeps: with `appendfsync everysec`, a crash of Redis may lose the last
 * second; with eviction of keys that have an expiry, runs may vanish, which their followers are told.
 *
 * @throws RangeError for a time that is not a number of milliseconds, TypeError for what is no client.
 */
export function createRedisRunStore(options: RedisRunStoreOptions): RunStore {
  const { client, prefix = "kortyx:" } = options;
  checkOption("client", typeof client?.scriptLoad === "function", "a client of the redis package", client);
  const commandTimeoutMs = parseTimeoutMs("commandTimeoutMs", options.commandTimeoutMs ?? 2_000);
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  /** Runs whose appends are listened to, and how many ticks ago somebody last waited. */
  const channels = new Map<string, number>();
  /** The last position that was heard of, for the runs that are listened to. */
  const heard = new Map<string, number>();
  /** Channels that are being left: a client that is asked to listen again in the middle of it would not. */
  const leaving = new Map<string, Promise<void>>();
  let subscriber: { connection: RedisSubscriber; opening: Promise<unknown> } | undefined;
  let tickTimer: Timer | undefined;
  let isClosed = false;

  const waiters = createRunWaiters((isWaitedFor) => {
    if (isWaitedFor && !isClosed) tickTimer ??= unref(startInterval(tick, tickMs));
  });

  /** Redis knows the scripts by their hashes, until it is restarted. */
  const hashes = new Map<string, Promise<string>>();

  function load(name: keyof typeof scripts): Promise<string> {
    const hash = client.scriptLoad(library + scripts[name]);
    hashes.set(name, hash);
    return hash;
  }

  async function evaluate(name: keyof typeof scripts, values: (string | number)[]): Promise<unknown> {
    const options = { keys: [], arguments: [prefix, leaseMs, retentionMs, ...values].map(String) };
    try {
      return await client.evalSha(await (hashes.get(name) ?? load(name)), options);
    } catch (error) {
      hashes.delete(name);
      if (!String(error).includes("NOSCRIPT")) throw error;
      return client.evalSha(await load(name), options);
    }
  }

  async function run(script: keyof typeof scripts, values: (string | number)[]): Promise<unknown> {
    if (isClosed) throw new Error("The store of runs is closed.");
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = startTimer(
        () => reject(new Error(`Redis has not answered within ${commandTimeoutMs} ms.`)),
        commandTimeoutMs,
      );
    });
    try {
      return await Promise.race([evaluate(script, values), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  function tell(runId: string, lastSeq: number): void {
    if (channels.has(runId)) heard.set(runId, Math.max(lastSeq, heard.get(runId) ?? -1));
    waiters.wake(runId, lastSeq);
  }

  function tick(): void {
    const waited = new Set(waiters.runIds());
    for (const [runId, ticks] of channels) {
      const idleTicks = waited.has(runId) ? 0 : ticks + 1;
      channels.set(runId, idleTicks);
      if (idleTicks <= lingerTicks) continue;
      channels.delete(runId);
      heard.delete(runId);
      leave(runId);
    }
    if (waited.size === 0 && channels.size === 0) {
      clearInterval(tickTimer);
      tickTimer = undefined;
    }
    waiters.wakeAll();
  }

  function leave(runId: string): void {
    if (subscriber === undefined) return;
    const left = subscriber.connection
      .unsubscribe(`${prefix}log:${runId}`)
      .catch(() => {})
      .then(() => void leaving.delete(runId));
    leaving.set(runId, left);
  }

  /**
   * One connection of this process listens for all of its runs. Until it does, and whenever it does not, the tick finds
   * everything.
   */
  async function listen(runId: string | undefined): Promise<void> {
    subscriber ??= openSubscriber();
    const { connection, opening } = subscriber;
    try {
      await opening;
      if (runId !== undefined) {
        await leaving.get(runId);
        await connection.subscribe(`${prefix}log:${runId}`, (lastSeq) => tell(runId, Number(lastSeq)));
      }
    } catch {
      if (subscriber?.connection !== connection) return;
      // Whoever waits next tries again, with every channel.
      subscriber = undefined;
      channels.clear();
      heard.clear();
      destroy(connection);
    }
  }

  function openSubscriber() {
    const connection = client.duplicate();
    connection.on("error", () => {});
    const opening = connection
      .connect()
      .then(() => connection.subscribe(`${prefix}ended`, (id) => tell(id, Number.POSITIVE_INFINITY)));
    return { connection, opening };
  }

  /** What was written before we listened has not been heard of. */
  async function catchUp(runId: string, after: number): Promise<void> {
    // Nothing but the end is of interest then, and that is told of every run.
    const wantsEntries = after < Number.MAX_SAFE_INTEGER;
    if (wantsEntries) channels.set(runId, 0);
    await listen(wantsEntries ? runId : undefined);
    tell(runId, await lastSeqOf(runId));
  }

  async function end(script: "end" | "endIfLeaseExpired", runId: string, values: (string | number)[]) {
    const json = (await run(script, [runId, ...values])) as string | null;
    if (json === null) return undefined;
    tell(runId, Number.POSITIVE_INFINITY);
    return JSON.parse(json) as RunTerminal;
  }

  return {
    isShared: true,
    leaseMs,
    async open({ runId, owner, sessionId = "", key = "", bodyHash, maxOpenRuns, allowActiveRun }) {
      const [status, id, ...fields] = (await run("open", [
        runId,
        owner,
        sessionId,
        key,
        bodyHash,
        maxOpenRuns,
        allowActiveRun ? 1 : 0,
        stringifyChunk(producerLost),
        stringifyChunk(stopped),
      ])) as [OpenedRun["status"], string, ...Fields];
      return { status, run: id === undefined ? undefined : toRecord(id, fields) } as OpenedRun;
    },
    async append(runId, firstSeq, entries) {
      const result = (await run("append", [runId, firstSeq, ...entries])) as AppendResult;
      if (result === "ok") tell(runId, firstSeq + entries.length - 1);
      return result;
    },
    async renew(runId) {
      return (await run("renew", [runId])) as AppendResult;
    },
    end: (runId, terminal, lastSeq = -1) =>
      end("end", runId, [stringifyChunk(terminal), lastSeq, stringifyChunk(producerLost)]),
    endIfLeaseExpired: (runId) => end("endIfLeaseExpired", runId, [stringifyChunk(producerLost)]),
    async read(runId, after, limit) {
      const answer = (await run("read", [runId, after, limit])) as [...Fields, string[], number] | null;
      if (answer === null) return undefined;
      const [owner, session, seq, terminal, entries, leaseLeftMs] = answer;
      return { run: toRecord(runId, [owner, session, seq, terminal]), entries, leaseLeftMs };
    },
    async wait(runId, after, signal) {
      if (isClosed || signal.aborted || (heard.get(runId) ?? -1) > after) return;
      const waiting = waiters.wait(runId, after, signal);
      // Its failure is met by whoever waits, when the tick lets them ask.
      if (!channels.has(runId)) catchUp(runId, after).catch(() => {});
      await waiting;
    },
    async latest(owner, sessionId) {
      const answer = (await run("latest", [owner, sessionId])) as [string, ...Fields] | null;
      if (answer === null) return undefined;
      const [id, ...fields] = answer;
      return toRecord(id, fields);
    },
    async stopKey(owner, key) {
      return ((await run("stopKey", [owner, key, stoppedKeyMs])) as string | null) ?? undefined;
    },
    async close() {
      isClosed = true;
      clearInterval(tickTimer);
      waiters.wakeAll();
      if (subscriber !== undefined) destroy(subscriber.connection);
      subscriber = undefined;
    },
  };

  /** Infinity when the run has ended or is gone. */
  async function lastSeqOf(runId: string): Promise<number> {
    const answer = (await run("read", [runId, -1, 0])) as [...Fields, string[]] | null;
    return answer === null || answer[3] !== null ? Number.POSITIVE_INFINITY : Number(answer[2]);
  }
}

function destroy(connection: RedisSubscriber): void {
  try {
    connection.destroy();
  } catch {
    // It has given up by itself.
  }
}

const toRecord = (runId: string, [owner, session, seq, terminal]: Fields): RunRecord => ({
  runId,
  owner,
  sessionId: session === "" ? undefined : session,
  lastSeq: Number(seq),
  terminal: terminal === null || terminal === undefined ? undefined : JSON.parse(terminal),
});
