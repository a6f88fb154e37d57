/**
 * The scripts that keep runs in Redis: each is one atomic step. Knows nothing about connections.
 *
 * KEYS[1] is the prefix `P`, ARGV[1] and ARGV[2] are the lease and the retention in milliseconds. With a hash tag in
 * the prefix, KEYS[1] also routes a script to the node of a Redis Cluster that holds all keys.
 *
 * When Redis is full (`maxmemory` with `noeviction`), it refuses a script's first write if that needs memory, and
 * allows all writes after one that needs none. So a script that must still work begins with such a write (EXPIRE,
 * SREM), and one that must be refused begins with a write that needs memory, so that it is refused as a whole.
 */

/**
 * The version of the key layout. A process refuses a store with a newer one.
 *
 * | key | type | what |
 * | --- | --- | --- |
 * | `format` | string | this number |
 * | `run:<id>` | hash | the run without its log |
 * | `log:<id>` | stream | entry `seq` has the id `<seq + 1>-0`, because 0-0 is not an id |
 * | `open:<owner>` | set | the ids of the owner's open runs, if there is an owner |
 * | `key:<bytes of owner>:<owner>:<key>` | string | the id of the run with this idempotency key |
 * | `session:<bytes of owner>:<owner>:<session>` | string | the id of the session's latest run |
 * | `stop:<owner>` | sorted set | keys that were stopped before their runs were opened, scored by expiry |
 *
 * Every key but `format` expires: those of a run after its retention, extended with each renewal while it is open.
 */
export const formatNumber = 1;

/** Redis's own clock: those of the machines differ. */
const now = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

const library = `
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

const bodies = {
  /** formatNumber. Returns the stored format number. */
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
local repeated = record(id)
if repeated[1] then
  if not repeated[4] then renew(id, repeated, repeated[3]) end
  return {'created', id, unpack(repeated, 1, 4)}
end
local open, gone, expired = 0, {}, {}
if key ~= '' then
  local known = redis.call('GET', keyName)
  local run = known and record(known)
  if run and run[1] then
    -- The key of a run that was lost before its first entry is free.
    local isExpired = run[3] == '-1' and tonumber(run[6]) <= now
    if isExpired then
      expired[known] = run
    elseif run[3] ~= '0' or run[4] ~= ARGV[10] then
      if run[5] ~= hash then return {'key-conflict'} end
      return {'attached', known, unpack(run, 1, 4)}
    end
  end
end
local others = owner ~= '' and redis.call('SMEMBERS', P .. 'open:' .. owner) or {}
for _, other in ipairs(others) do
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
if owner ~= '' and open >= tonumber(ARGV[8]) then return {'too-many-runs'} end
-- The first write takes memory, so that a full Redis refuses the run as a whole.
redis.call('HSET', run_key(id), 'owner', owner, 'session', session, 'seq', -1, 'hash', hash, 'lease', now + LEASE)
for _, other in ipairs(gone) do redis.call('SREM', P .. 'open:' .. owner, other) end
for other, run in pairs(expired) do finish(other, run, ARGV[10]) end
if owner ~= '' then redis.call('SADD', P .. 'open:' .. owner, id) end
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
return false`,
};

export type RedisScriptName = keyof typeof bodies;

/** The whole text of a script. */
export const redisScript = (name: RedisScriptName): string => library + bodies[name];
