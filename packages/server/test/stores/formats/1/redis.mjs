// Made by ../freeze.mjs, from the sources as they were then. Never changed by hand.

// packages/protocol/src/chunk-checker.ts
var question = "multiple:boolean id? schemaId? schemaVersion? meta?:{}";
var choice = `${question} question options:option[]`;
var shapes = {
  option: "id label description?",
  usage: "inputTokens?:number outputTokens?:number totalTokens?:number",
  input: { text: `${question} question?`, choice, "multi-choice": choice, "*": "kind" }
};
var origin = "node? id? opId?";
var segment = `segmentId? ${origin}`;
var call = `tool toolCallId ${origin}`;
var structured = "streamId dataType schemaId? schemaVersion? id? node?";
var chunkTable = {
  session: "sessionId",
  "run-start": "runId sessionId?",
  checkpoint: "id sessionId turnIndex:integer>=0 label?",
  trace: "traceId spanId runId rootSpanName",
  status: "message node?",
  message: "content node?",
  "text-start": segment,
  "text-delta": `delta ${segment}`,
  "text-end": segment,
  "reasoning-start": segment,
  "reasoning-delta": `delta ${segment}`,
  "reasoning-end": segment,
  "tool-call-start": call,
  "tool-call-delta": `toolCallId delta tool? ${origin}`,
  "tool-call-ready": `${call} input:JSON`,
  "tool-call-result": `${call} content:JSON isError?:boolean`,
  "tool-call-error": `${call} message`,
  "tool-result": "content:JSON tool? node?",
  "structured-data": {
    set: `${structured} path value:JSON`,
    append: `${structured} path items:JSON[]`,
    "text-delta": `${structured} path delta`,
    final: `${structured} data:JSON`
  },
  "structured-data-invalidated": "streamId checkpointId",
  interrupt: `requestId resumeToken input:input workflow? schemaId? schemaVersion? meta?:{} ${origin}`,
  source: "id url? title? node?",
  file: "mediaType url name? node?",
  transition: "transitionTo",
  error: "message code? retryable?:boolean correlationId?",
  abort: "reason",
  done: "finishReason? usage?:usage"
};
var parseFields = (fields) => fields.split(" ").map((field) => {
  const [, name = "", optional, type = "string"] = /(\w*)(\?)?:?(.+)?/.exec(field);
  return { name, optional: optional !== void 0, type };
});
var describe = (value) => value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
var isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
var isAbsent = (value) => value === null || typeof value === "number" && !Number.isFinite(value);
var mismatch = (value, path, expected) => `${path.slice(1)} must be ${expected}, got ${describe(value)}`;
var parsedTypes = {
  // JSON may hold a number that is too large for one.
  number: Number.isFinite,
  "integer>=0": (value) => Number.isSafeInteger(value) && value >= 0,
  JSON: (value) => value !== void 0,
  "{}": isRecord
};
function createChunkChecker(types = parsedTypes, table = chunkTable, mends = false) {
  function checkOf(type) {
    const row = shapes[type];
    if (row) return checkRow(row);
    const accepts = types[type];
    if (!type.endsWith("[]")) {
      return (value, path) => accepts?.(value) ? void 0 : mismatch(value, path, type);
    }
    const check2 = checkOf(type.slice(0, -2));
    return (value, path) => {
      if (!Array.isArray(value)) return mismatch(value, path, type);
      let problem;
      for (let index = 0; !problem && index < value.length; index++) {
        problem = check2(value[index], `${path}.${index}`);
      }
      return problem;
    };
  }
  const canMend = (value) => mends && !("toJSON" in value);
  function checkFields(fields) {
    const rules = /* @__PURE__ */ new Map();
    const required = [];
    for (const { name, optional, type } of parseFields(fields)) {
      rules.set(name, [types[type] ? "" : type, checkOf(type), optional, type]);
      if (!optional) required.push(name);
    }
    return (value, path) => {
      if (!isRecord(value)) return mismatch(value, path, "{}");
      let found = 0;
      for (const name in value) {
        if (name === "type") continue;
        const rule = rules.get(name);
        const inner = value[name];
        if (!rule || inner === void 0) continue;
        const problem = typeof inner === rule[0] ? void 0 : rule[1](inner, `${path}.${name}`);
        if (!problem) {
          if (!rule[2]) found++;
        } else if (rule[2] && canMend(value) && isAbsent(inner)) {
          delete value[name];
        } else {
          return problem;
        }
      }
      if (found === required.length) return void 0;
      for (const name of required) {
        if (Object.hasOwn(value, name) && value[name] !== void 0) continue;
        const [, check2, , type] = rules.get(name);
        if (type !== "JSON" || !canMend(value)) return check2(void 0, `${path}.${name}`);
        value[name] = null;
      }
      return void 0;
    };
  }
  const checkRows = (rows2) => new Map(Object.entries(rows2).map(([name, row]) => [name, checkRow(row)]));
  function checkRow(row) {
    if (typeof row === "string") return checkFields(row);
    const checks2 = checkRows(row);
    return (value, path) => {
      const check2 = checks2.get(value?.kind) ?? checks2.get("*");
      return check2 ? check2(value, path) : mismatch(value?.kind, `${path}.kind`, Object.keys(row).join("|"));
    };
  }
  const checks = checkRows(table);
  let lastType;
  let check;
  return (value, position) => {
    const type = value?.type;
    if (type !== lastType) {
      check = checks.get(type);
      lastType = type;
    }
    if (check) {
      const problem = check(value, "");
      if (problem === void 0) return void 0;
      return `Chunk ${position === void 0 ? `"${type}"` : `${position} ("${type}")`}: ${problem}.`;
    }
    return typeof type === "string" ? null : describeNoChunk(value, position);
  };
}
function describeNoChunk(value, position) {
  const subject = position === void 0 ? "Not a chunk" : `Chunk ${position} is not a chunk`;
  return `${subject}: no string "type" in ${describe(value)}.`;
}

// packages/protocol/src/check-chunk.ts
var strictTypes = {
  ...parsedTypes,
  JSON: (value) => !["undefined", "function", "symbol"].includes(typeof value),
  // An object as JSON makes them, and not a Date, a Map or an instance of a class: only an Object.prototype, of
  // whatever realm, has this method itself.
  "{}": (value) => {
    if (!isRecord(value)) return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
  }
};
var problemOf = createChunkChecker(strictTypes);
function checkChunk(value, position) {
  if (!isRecord(value) || !Object.hasOwn(value, "type")) {
    return { code: "invalid-chunk", message: describeNoChunk(value, position) };
  }
  const problem = problemOf(value, position);
  if (problem === void 0) return void 0;
  if (problem !== null) return { code: "invalid-chunk", message: problem };
  const name = JSON.stringify(value.type.slice(0, 80));
  return { code: "unknown-type", message: `Chunk type ${name} is not known.` };
}

// packages/protocol/src/check-option.ts
function checkOption(name, isValid, expected, value) {
  if (!isValid) throw new TypeError(`${name} must be ${expected}; got ${describeValue(value)}.`);
}
function describeValue(value) {
  if (value === void 0 || value === null) return `${value}`;
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "object") return describeObject(value);
  return typeof value === "function" || typeof value === "symbol" ? `a ${typeof value}` : `${value}`;
}
function describeObject(value) {
  if (Array.isArray(value)) return "an array";
  return typeof value.then === "function" ? "a promise" : "an object";
}

// packages/protocol/src/stream-error.ts
var brand = /* @__PURE__ */ Symbol.for("@kortyx/error");
var StreamError = class extends Error {
  /** @internal On the prototype, so that it is not printed. */
  get [brand]() {
    return true;
  }
};
var StreamProtocolError = class extends StreamError {
  name = "StreamProtocolError";
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
};

// packages/protocol/src/delay.ts
var maxTimerMs = 2 ** 31 - 1;
function parseDelayMs(name, ms) {
  if (typeof ms !== "number" || !(ms >= 0)) {
    throw new RangeError(`${name} must be a number of milliseconds, 0 or more; got ${String(ms)}.`);
  }
  return ms > maxTimerMs ? Number.POSITIVE_INFINITY : Math.ceil(ms);
}
var parseTimeoutMs = (name, ms) => parseDelayMs(name, ms) || Number.POSITIVE_INFINITY;

// packages/protocol/src/delta-json.ts
var isUnescaped = /^[ !#-[\]-\u0084\u0086-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;
var names = ["type", "delta", "segmentId"];
function printDelta(value) {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return void 0;
  }
  const { type, delta, segmentId, toJSON } = value;
  if (type !== "text-delta" && type !== "reasoning-delta" || toJSON !== void 0) return void 0;
  if (typeof delta !== "string" || !isUnescaped.test(delta)) return void 0;
  let count = 0;
  for (const name in value) if (name !== names[count++]) return void 0;
  if (count < 2 || !Object.hasOwn(value, names[count - 1])) return void 0;
  if (count === 2) return `{"type":"${type}","delta":"${delta}"}`;
  if (typeof segmentId !== "string" || !isUnescaped.test(segmentId)) return void 0;
  return `{"type":"${type}","delta":"${delta}","segmentId":"${segmentId}"}`;
}

// packages/protocol/src/to-chunk.ts
var rows = new Map(Object.entries(chunkTable));
var mend = createChunkChecker(strictTypes, chunkTable, true);
function toChunk(value, position) {
  const found = checkChunk(value, position);
  if (found?.code !== "invalid-chunk") return value;
  const row = isRecord(value) ? rows.get(value.type) : void 0;
  if (row === void 0) throw new StreamProtocolError("invalid-chunk", found.message);
  const chunk = copy(value, row);
  const problem = mend(chunk, position);
  if (problem) throw new StreamProtocolError("invalid-chunk", problem);
  return chunk;
}
function copy(value, row) {
  if (!isRecord(value) || "toJSON" in value) return value;
  const copied = { ...value };
  const fields = typeof row === "string" ? row : new Map(Object.entries(row)).get(String(value.kind));
  if (fields === void 0) return copied;
  for (const { name, type } of parseFields(fields)) copied[name] = copyField(copied[name], type);
  return copied;
}
function copyField(value, type) {
  if (type.endsWith("[]") && Array.isArray(value)) {
    return Array.from(value, (item) => item === void 0 ? null : copyField(item, type.slice(0, -2)));
  }
  const row = shapes[type];
  return row === void 0 ? value : copy(value, row);
}

// packages/protocol/src/encoder.ts
var rawLineBreaks = /[\u0085\u2028\u2029]/g;
function printChunk(value, position) {
  const json = printDelta(value);
  if (json !== void 0) return { chunk: value, json };
  const chunk = toChunk(value, position);
  return { chunk, json: stringify(chunk, position) };
}
function stringifyChunk(value) {
  return printChunk(value).json;
}
function stringify(chunk, position) {
  const subject = position === void 0 ? "The chunk" : `Chunk ${position}`;
  let json;
  try {
    json = JSON.stringify(chunk);
  } catch (cause) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      `${subject} cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause }
    );
  }
  if (json === void 0) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      typeof chunk === "object" ? `${subject} cannot be written as JSON: its toJSON() gives nothing.` : `${subject} cannot be written as JSON: expected an object, got ${typeof chunk}.`
    );
  }
  return hasRawLineBreak(json) ? json.replace(rawLineBreaks, escapeCharacter) : json;
}
var hasRawLineBreak = (json) => json.includes("\u2028") || json.includes("\u2029") || json.includes("\x85");
var escapeCharacter = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

// packages/server/src/redis-scripts.ts
var formatNumber = 1;
var now = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;
var library = `
${now}
local P = KEYS[1]
local LEASE = tonumber(ARGV[1])
local KEEP = tonumber(ARGV[2])
local function run_key(id) return P .. 'run:' .. id end
local function log_key(id) return P .. 'log:' .. id end
local function owned(kind, owner, name) return P .. kind .. ':' .. #owner .. ':' .. owner .. ':' .. name end
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
  -- First, because it works when Redis is full.
  redis.call('SREM', P .. 'open:' .. run[1], id)
  redis.call('XADD', log_key(id), (seq + 1) .. '-0', 'json', terminal)
  redis.call('HSET', run_key(id), 'seq', seq, 'terminal', terminal)
  keep(id, run[1], KEEP)
  redis.call('PUBLISH', P .. 'ended', id)
  return terminal
end
local function renew(id, run, seq)
  local left = redis.call('PTTL', run_key(id))
  -- Either is a write that works when Redis is full.
  if left < LEASE * 2 / 3 + KEEP then keep(id, run[1], LEASE + KEEP) else redis.call('PEXPIRE', run_key(id), left) end
  redis.call('HSET', run_key(id), 'seq', seq, 'lease', now + LEASE)
end
`;
var bodies = {
  /** formatNumber. Returns the number that the keys have. */
  format: `
local known = redis.call('GET', P .. 'format')
-- pcall: without room for it, the number is written by a process that starts later.
if not known then redis.pcall('SET', P .. 'format', ARGV[3]) end
return known or ARGV[3]`,
  /** id, owner, session, key, hash, maxOpenRuns, allowActiveRun, producerLost, stopped */
  open: `
local id, owner, session, key, hash = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local keyName = owned('key', owner, key)
local sessionName = owned('session', owner, session)
if key ~= '' then
  local known = redis.call('GET', keyName)
  local run = known and record(known)
  if run and run[1] then
    if run[5] ~= hash then return {'key-conflict'} end
    return {'attached', known, unpack(run, 1, 4)}
  end
end
local open, gone, expired = 0, {}, {}
for _, other in ipairs(redis.call('SMEMBERS', P .. 'open:' .. owner)) do
  local run = record(other)
  if not run[1] then
    table.insert(gone, other)
  elseif tonumber(run[6]) <= now then
    expired[other] = run
  else
    if ARGV[9] == '0' and session ~= '' and run[2] == session then return {'run-active', other, unpack(run, 1, 4)} end
    open = open + 1
  end
end
if open >= tonumber(ARGV[8]) then return {'too-many-runs'} end
-- The first write takes memory, so that a full Redis refuses the run as a whole.
redis.call('HSET', run_key(id), 'owner', owner, 'session', session, 'seq', -1, 'hash', hash, 'lease', now + LEASE)
for _, other in ipairs(gone) do redis.call('SREM', P .. 'open:' .. owner, other) end
for other, run in pairs(expired) do finish(other, run, ARGV[10]) end
redis.call('SADD', P .. 'open:' .. owner, id)
if session ~= '' then
  redis.call('SET', sessionName, id)
  redis.call('HSET', run_key(id), 'sessionName', sessionName)
end
local wasStopped = false
if key ~= '' then
  redis.call('SET', keyName, id)
  redis.call('HSET', run_key(id), 'keyName', keyName)
  local forgottenAt = redis.call('ZSCORE', P .. 'stop:' .. owner, key)
  wasStopped = forgottenAt and tonumber(forgottenAt) > now
  if forgottenAt then redis.call('ZREM', P .. 'stop:' .. owner, key) end
end
keep(id, owner, LEASE + KEEP)
if wasStopped then finish(id, record(id), ARGV[11]) end
return {'created', id, unpack(record(id), 1, 4)}`,
  /** id, firstSeq, entries… */
  append: `
local id, first = ARGV[3], tonumber(ARGV[4])
local run = record(id)
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
local seq = tonumber(run[3])
if first > seq + 1 then return 'lost' end
local last = first + #ARGV - 5
if first <= seq and last >= first then
  local known = redis.call('XRANGE', log_key(id), (first + 1) .. '-0', '+', 'COUNT', last - first + 1)
  for i, entry in ipairs(known) do
    if entry[2][2] ~= ARGV[4 + i] then return 'lost' end
  end
end
for i = seq + 1, last do
  redis.call('XADD', log_key(id), (i + 1) .. '-0', 'json', ARGV[5 + i - first])
end
if seq == -1 then keep(id, run[1], LEASE + KEEP) end
renew(id, run, math.max(seq, last))
redis.call('PUBLISH', P .. 'log:' .. id, last)
return 'ok'`,
  /** id */
  renew: `
local run = record(ARGV[3])
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
renew(ARGV[3], run, run[3])
return 'ok'`,
  /** id, terminal, lastSeq, producerLost */
  end: `
local run = record(ARGV[3])
if not run[1] then return false end
local isWhole = tonumber(run[3]) >= tonumber(ARGV[5])
return finish(ARGV[3], run, isWhole and ARGV[4] or ARGV[6])`,
  /** id, producerLost */
  endIfLeaseExpired: `
local run = record(ARGV[3])
if not run[1] then return false end
if not run[4] and tonumber(run[6]) > now then return false end
return finish(ARGV[3], run, ARGV[4])`,
  /** id, after, limit, withNames */
  read: `
local run = record(ARGV[3])
if not run[1] then return false end
local entries = {}
if tonumber(ARGV[5]) > 0 and tonumber(ARGV[4]) < tonumber(run[3]) then
  local first = (tonumber(ARGV[4]) + 2) .. '-0'
  local found = redis.call('XRANGE', log_key(ARGV[3]), first, '+', 'COUNT', ARGV[5])
  -- A log that was evicted, wholly or in its first part, is lost.
  if not found[1] or found[1][1] ~= first then return false end
  for i, entry in ipairs(found) do entries[i] = entry[2][2] end
end
local names = ARGV[6] == '1' and {run[1], run[2]} or {}
return {run[3], run[4], entries, math.ceil(run[6] - now), names}`,
  /** owner, session */
  latest: `
local id = redis.call('GET', owned('session', ARGV[3], ARGV[4]))
local run = id and record(id)
if not run or not run[1] then return false end
return {id, unpack(run, 1, 4)}`,
  /** owner, key, rememberMs, maxStoppedKeys */
  stopKey: `
local id = redis.call('GET', owned('key', ARGV[3], ARGV[4]))
if id and redis.call('EXISTS', run_key(id)) == 1 then return id end
local stops = P .. 'stop:' .. ARGV[3]
-- First, because it works when Redis is full.
redis.call('ZREMRANGEBYSCORE', stops, '-inf', now)
redis.call('ZADD', stops, now + ARGV[5], ARGV[4])
redis.call('ZREMRANGEBYRANK', stops, 0, -1 - ARGV[6])
redis.call('PEXPIRE', stops, ARGV[5])
return false`
};
var redisScript = (name) => library + bodies[name];

// packages/server/src/start-timer.ts
var startTimer = (callback, delayMs) => delayMs > maxTimerMs ? void 0 : setTimeout(callback, delayMs);
var startInterval = (callback, intervalMs) => intervalMs > maxTimerMs ? void 0 : setInterval(callback, intervalMs);
function unref(timer) {
  timer?.unref?.();
  return timer;
}

// packages/server/src/redis-commands.ts
var connectTimeoutMs = 5e3;
function openConnection(client) {
  const connection = client.duplicate();
  connection.on("error", () => {
  });
  const opened = new Promise((resolve, reject) => {
    const timer = unref(
      startTimer(() => {
        destroyConnection(connection);
        reject(new Error(`No connection to Redis within ${connectTimeoutMs} ms.`));
      }, connectTimeoutMs)
    );
    connection.connect().then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });
  return { connection, opened };
}
function destroyConnection(connection) {
  const destroy = () => {
    try {
      connection.destroy();
    } catch {
    }
  };
  connection.on("ready", destroy);
  destroy();
}
function createRedisCommands(options) {
  const { client, prefix, times, commandTimeoutMs } = options;
  const hashes = /* @__PURE__ */ new Map();
  let current = client;
  let candidate;
  let answers = 0;
  let isClosed = false;
  let formatChecked;
  function hashOf(name) {
    const hash = hashes.get(name) ?? sha1(redisScript(name));
    hashes.set(name, hash);
    return hash;
  }
  async function evaluate(name, values, signal) {
    const calls = current.withCommandOptions({ abortSignal: signal });
    const parameters = { keys: [prefix], arguments: [...times, ...values].map(String) };
    try {
      return await calls.evalSha(await hashOf(name), parameters);
    } catch (error) {
      if (!String(error).includes("NOSCRIPT")) throw error;
      return calls.eval(redisScript(name), parameters);
    }
  }
  async function ask(name, values) {
    if (isClosed) throw new Error("The store of runs is closed.");
    const abort = new AbortController();
    const asked = current;
    let timer;
    const late = new Promise((_, reject) => {
      timer = startTimer(() => {
        reject(new Error(`Redis has not answered within ${commandTimeoutMs} ms.`));
        abort.abort();
        if (asked === current) replaceSilentConnection();
      }, commandTimeoutMs);
    });
    const countAnswer = () => {
      answers++;
    };
    const answer = evaluate(name, values, abort.signal);
    answer.then(countAnswer, () => !abort.signal.aborted && countAnswer());
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
  function replaceSilentConnection() {
    if (candidate !== void 0 || isClosed) return;
    const answersBefore = answers;
    const opening = openConnection(client);
    candidate = opening;
    const pause = () => new Promise((resolve) => unref(startTimer(resolve, commandTimeoutMs / 8)));
    opening.opened.then(pause).then(pause).then(() => {
      if (answers !== answersBefore) return destroyConnection(opening.connection);
      destroyOwn();
      current = opening.connection;
    }).catch(() => destroyConnection(opening.connection)).finally(() => {
      candidate = void 0;
    });
  }
  function destroyOwn() {
    if (current !== client) destroyConnection(current);
  }
  function checkFormat() {
    formatChecked ??= ask("format", [formatNumber]).then((found) => {
      if (Number(found) <= formatNumber) return;
      throw new Error(
        `The runs in Redis under ${JSON.stringify(prefix)} have format ${found}, of a newer version of @kortyx/server; this version knows format ${formatNumber}. Update this process, or give its store another prefix.`
      );
    }).catch((error) => {
      formatChecked = void 0;
      throw error;
    });
    return formatChecked;
  }
  return {
    async run(script, values) {
      await checkFormat();
      return ask(script, values);
    },
    close() {
      isClosed = true;
      destroyOwn();
      if (candidate !== void 0) destroyConnection(candidate.connection);
    }
  };
}
async function sha1(text) {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// packages/server/src/redis-listener.ts
var lingerTicks = 5;
var silentTicks = 3;
function createRedisListener(client, prefix, tell) {
  const channels = /* @__PURE__ */ new Map();
  const heard = /* @__PURE__ */ new Map();
  const leaving = /* @__PURE__ */ new Map();
  let subscriber;
  let pings = 0;
  const channelOf = (runId) => `${prefix}log:${runId}`;
  function subscribe() {
    const { connection, opened } = openConnection(client);
    pings = 0;
    const subscribed = opened.then(async () => {
      await connection.subscribe(`${prefix}ended`, (id) => tell(id, Number.POSITIVE_INFINITY));
    });
    return { connection, opened: subscribed };
  }
  function drop() {
    if (subscriber !== void 0) destroyConnection(subscriber.connection);
    subscriber = void 0;
    channels.clear();
    heard.clear();
    leaving.clear();
  }
  function leave(runId) {
    channels.delete(runId);
    heard.delete(runId);
    if (subscriber === void 0) return;
    const left = subscriber.connection.unsubscribe(channelOf(runId)).catch(() => {
    }).then(() => void leaving.delete(runId));
    leaving.set(runId, left);
  }
  async function ping({ connection, opened }) {
    await opened;
    if (subscriber?.connection !== connection) return;
    pings++;
    await connection.ping();
    if (subscriber?.connection === connection) pings = 0;
  }
  return {
    has: (runId) => channels.has(runId),
    takeHeard: (runId, after) => (heard.get(runId) ?? -1) > after && heard.delete(runId),
    async listen(runId) {
      if (runId !== void 0) channels.set(runId, 0);
      subscriber ??= subscribe();
      const { connection, opened } = subscriber;
      try {
        await opened;
        if (runId === void 0) return;
        await leaving.get(runId);
        await connection.subscribe(channelOf(runId), (lastSeq) => tell(runId, Number(lastSeq)));
      } catch {
        if (subscriber?.connection === connection) drop();
      }
    },
    note(runId, lastSeq) {
      if (channels.has(runId)) heard.set(runId, Math.max(lastSeq, heard.get(runId) ?? -1));
    },
    tick(waitedFor) {
      for (const [runId, ticks] of channels) {
        const idleTicks = waitedFor.has(runId) ? 0 : ticks + 1;
        channels.set(runId, idleTicks);
        if (idleTicks > lingerTicks) leave(runId);
      }
      if (pings >= silentTicks) drop();
      else if (subscriber !== void 0) ping(subscriber).catch(() => {
      });
      return channels.size > 0;
    },
    close: drop
  };
}

// packages/server/src/run-store.ts
var producerLost = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true
};
var stopped = { type: "abort", reason: "stopped" };
var stoppedKeyMs = 6e4;
var maxStoppedKeys = 1e3;
var foreverMs = 100 * 365 * 864e5;
function readRunStoreTimes({
  retentionMs = 15 * 6e4,
  leaseMs = 15e3
}) {
  const lease = parseDelayMs("leaseMs", leaseMs);
  if (lease === 0) throw new RangeError("leaseMs must be at least 1; got 0.");
  return {
    retentionMs: Math.min(parseDelayMs("retentionMs", retentionMs), foreverMs),
    leaseMs: Math.min(lease, foreverMs)
  };
}

// packages/server/src/run-waiters.ts
function createRunWaiters(onChange = () => {
}) {
  const waiters = /* @__PURE__ */ new Map();
  function wake(runId, lastSeq) {
    for (const { after, resume } of waiters.get(runId) ?? []) {
      if (lastSeq > after) resume();
    }
  }
  return {
    wait(runId, after, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const ofRun = waiters.get(runId) ?? /* @__PURE__ */ new Set();
        const resume = () => {
          signal.removeEventListener("abort", resume);
          ofRun.delete(waiter);
          if (ofRun.size === 0) waiters.delete(runId);
          if (waiters.size === 0) onChange(false);
          resolve();
        };
        const waiter = { after, resume };
        signal.addEventListener("abort", resume);
        ofRun.add(waiter);
        waiters.set(runId, ofRun);
        if (waiters.size === 1 && ofRun.size === 1) onChange(true);
      });
    },
    wake,
    wakeAll() {
      for (const runId of waiters.keys()) wake(runId, Number.POSITIVE_INFINITY);
    },
    runIds: () => [...waiters.keys()]
  };
}

// packages/server/src/redis.ts
var tickMs = 1e3;
var maxNames = 1e3;
function createRedisRunStore(options) {
  const { client, prefix = "kortyx:" } = options;
  checkClient(client, prefix);
  const commandTimeoutMs = parseTimeoutMs("commandTimeoutMs", options.commandTimeoutMs ?? 2e3);
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  const commands = createRedisCommands({
    client,
    prefix,
    times: [leaseMs, retentionMs],
    commandTimeoutMs
  });
  const { run } = commands;
  const listener = createRedisListener(client, prefix, tell);
  const names2 = /* @__PURE__ */ new Map();
  let tickTimer;
  let isClosed = false;
  const waiters = createRunWaiters((isWaitedFor) => {
    if (isWaitedFor && !isClosed) tickTimer ??= unref(startInterval(tick, tickMs));
  });
  function tell(runId, lastSeq) {
    listener.note(runId, lastSeq);
    waiters.wake(runId, lastSeq);
  }
  function tick() {
    const waitedFor = new Set(waiters.runIds());
    if (!listener.tick(waitedFor) && waitedFor.size === 0) {
      clearInterval(tickTimer);
      tickTimer = void 0;
    }
    waiters.wakeAll();
  }
  async function catchUp(runId, after) {
    const wantsEntries = after < Number.MAX_SAFE_INTEGER;
    await listener.listen(wantsEntries ? runId : void 0);
    tell(runId, await lastSeqOf(runId));
  }
  async function end(script, runId, values) {
    const json = await run(script, [runId, ...values]);
    if (json === null) return void 0;
    tell(runId, Number.POSITIVE_INFINITY);
    return JSON.parse(json);
  }
  return {
    isShared: true,
    leaseMs,
    async open({ runId, owner, sessionId = "", key = "", bodyHash, maxOpenRuns, allowActiveRun }) {
      const opening = run("open", [
        runId,
        owner,
        sessionId,
        key,
        bodyHash,
        maxOpenRuns,
        allowActiveRun ? 1 : 0,
        stringifyChunk(producerLost),
        stringifyChunk(stopped)
      ]);
      const opened = await opening.catch(whenFull(["store-full"]));
      const [status, id, ...fields] = opened;
      return { status, run: id === void 0 ? void 0 : toRecord(id, fields) };
    },
    async append(runId, firstSeq, entries) {
      const appending = run("append", [runId, firstSeq, ...entries]);
      const result = await appending.catch(whenFull("full"));
      if (result === "ok") tell(runId, firstSeq + entries.length - 1);
      return result;
    },
    async renew(runId) {
      return await run("renew", [runId]);
    },
    end: (runId, terminal, lastSeq = -1) => end("end", runId, [stringifyChunk(terminal), lastSeq, stringifyChunk(producerLost)]),
    endIfLeaseExpired: (runId) => end("endIfLeaseExpired", runId, [stringifyChunk(producerLost)]),
    async read(runId, after, limit) {
      const known = names2.get(runId);
      const page = await readPage(runId, after, limit, known === void 0);
      if (page === null) return void 0;
      const [seq, terminal, entries, leaseLeftMs, read] = page;
      if (known === void 0) remember(runId, read);
      const run2 = toRecord(runId, [...known ?? read, seq, terminal]);
      return { run: run2, entries, leaseLeftMs };
    },
    async wait(runId, after, signal) {
      if (isClosed || signal.aborted || listener.takeHeard(runId, after)) return;
      const waiting = waiters.wait(runId, after, signal);
      if (!listener.has(runId)) catchUp(runId, after).catch(() => {
      });
      await waiting;
    },
    async latest(owner, sessionId) {
      const answer = await run("latest", [owner, sessionId]);
      if (answer === null) return void 0;
      const [id, ...fields] = answer;
      return toRecord(id, fields);
    },
    async stopKey(owner, key) {
      return await run("stopKey", [owner, key, stoppedKeyMs, maxStoppedKeys]) ?? void 0;
    },
    async close() {
      isClosed = true;
      clearInterval(tickTimer);
      waiters.wakeAll();
      listener.close();
      commands.close();
    }
  };
  async function readPage(runId, after, limit, withNames) {
    const page = await run("read", [runId, after, limit, withNames ? 1 : 0]);
    return page;
  }
  function remember(runId, ofRun) {
    names2.set(runId, ofRun);
    const [oldest] = names2.keys();
    if (names2.size > maxNames) names2.delete(oldest);
  }
  async function lastSeqOf(runId) {
    const page = await readPage(runId, -1, 0, false);
    return page === null || page[1] !== null ? Number.POSITIVE_INFINITY : Number(page[0]);
  }
}
var whenFull = (result) => (error) => {
  if (/\bOOM command not allowed\b/.test(String(error))) return result;
  throw error;
};
var clientMethods = ["eval", "evalSha", "withCommandOptions", "duplicate"];
function checkClient(client, prefix) {
  checkOption(
    "client",
    clientMethods.every((name) => typeof client?.[name] === "function"),
    "a client of the redis package, version 5 or later, as `await createClient({ url }).connect()` returns it (neither a pool nor a client of ioredis)",
    client
  );
  const { isOpen, slots } = client;
  if (isOpen === false) {
    throw new TypeError(
      "client must be connected: call `await client.connect()` before createRedisRunStore()."
    );
  }
  if (slots !== void 0 && !/^[^{]*\{[^}]+\}/.test(prefix)) {
    throw new TypeError(
      `prefix must have a hash tag for a cluster, as "{kortyx}:" has; got ${JSON.stringify(prefix)}.`
    );
  }
}
var toRecord = (runId, [owner, session, seq, terminal]) => ({
  runId,
  owner,
  sessionId: session === "" ? void 0 : session,
  lastSeq: Number(seq),
  terminal: terminal === null || terminal === void 0 ? void 0 : JSON.parse(terminal)
});
export {
  createRedisRunStore
};
