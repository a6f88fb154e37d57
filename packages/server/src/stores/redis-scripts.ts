/**
 * The scripts that keep runs in Redis: each is one atomic step. Knows nothing about connections.
 *
 * A script uses no keys but its KEYS, because while a cluster moves a slot from one node to another, Redis looks for
 * these only, and runs a script where all of them are. A script that needs the keys of other runs, whose ids it finds
 * in Redis, returns `declare` and these ids before it has written anything, to be called again with their keys.
 *
 * ARGV[1] and ARGV[2] are the lease and the retention in milliseconds.
 *
 * When Redis is full (`maxmemory` with `noeviction`), it refuses a script's first write if that needs memory, and
 * allows all writes after one that needs none. So a script that must still work begins with such a write (PEXPIRE),
 * and one that must be refused begins with a write that needs memory, so that it is refused as a whole.
 */

/** Redis's own clock: those of the machines differ. */
const now = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/** @param publish - SPUBLISH, which only the node of a channel carries, or PUBLISH. */
const library = (publish: string) => `
${now}
local LEASE = tonumber(ARGV[1])
local KEEP = tonumber(ARGV[2])
-- A run is named by the position of its first key; the second one is its log.
local function record(run)
  return redis.call('HMGET', KEYS[run], 'owner', 'session', 'seq', 'terminal', 'hash', 'lease')
end
local function keep(run, ms)
  redis.call('PEXPIRE', KEYS[run], ms)
  redis.call('PEXPIRE', KEYS[run + 1], ms)
end
-- Where it is unknown, a lost message is one that comes late.
local function announce(channel, position) redis.pcall('${publish}', channel, position) end
local function finish(run, found, terminal)
  if found[4] then return found[4] end
  local seq = tonumber(found[3]) + 1
  -- First, because it works when Redis is full.
  redis.call('PEXPIRE', KEYS[run], LEASE + KEEP)
  redis.call('XADD', KEYS[run + 1], (seq + 1) .. '-0', 'json', terminal)
  redis.call('HSET', KEYS[run], 'seq', seq, 'terminal', terminal)
  keep(run, KEEP)
  announce(KEYS[run + 1], 'Infinity')
  announce(KEYS[run + 1] .. ':end', 'Infinity')
  return terminal
end
local function renew(run, seq)
  local left = redis.call('PTTL', KEYS[run])
  -- Either is a write that works when Redis is full.
  if left < LEASE * 2 / 3 + KEEP then keep(run, LEASE + KEEP) else redis.call('PEXPIRE', KEYS[run], left) end
  redis.call('HSET', KEYS[run], 'seq', seq, 'lease', now + LEASE)
end
-- The reply that asks for keys: a list, because unpack() takes at most some 8,000 ids.
local others, undeclared = {}, {'declare'}
-- The ids of other runs begin at this position of ARGV, and their keys at that position of KEYS.
local function declare(arg, key)
  for i = arg, #ARGV do others[ARGV[i]] = key + 2 * (i - arg) end
end
local function find(id)
  if id and not others[id] then table.insert(undeclared, id) end
  return id and others[id]
end
`;

/** Runs of an owner in format 1 have keys of their own, which follow those of the owner. */
const bodies = {
  /** `format`, `earlier` if such runs are possible · formatNumber. Returns the number, and 1 if runs of format 1 may be left. */
  format: `
local known = redis.call('GET', KEYS[1])
local isCurrent = known and tonumber(known) >= tonumber(ARGV[3])
-- pcall: without room for them, both are written by a process that starts later.
if known and not isCurrent and KEYS[2] then redis.pcall('SET', KEYS[2], known, 'PX', LEASE + KEEP) end
if not isCurrent then redis.pcall('SET', KEYS[1], ARGV[3]) end
local isEarlier = KEYS[2] and (known and not isCurrent or redis.call('EXISTS', KEYS[2]) == 1)
return {isCurrent and known or ARGV[3], isEarlier and 1 or 0}`,

  /**
   * run, log, (open, key, session, stops) of one or two formats, others… · id, owner, session, key, hash, maxOpenRuns,
   * allowActiveRun, producerLostTerminal, stopped, number of formats, ids of others…
   */
  open: `
local id, owner, session, key, hash, formats = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[12])
local repeated = record(1)
if repeated[1] then
  if not repeated[4] then renew(1, repeated[3]) end
  return {'created', id, unpack(repeated, 1, 4)}
end
declare(13, 3 + 4 * formats)
local known
local members = {}
for first = 3, 4 * formats, 4 do
  known = known or key ~= '' and redis.call('GET', KEYS[first + 1])
  for _, other in ipairs(owner ~= '' and redis.call('SMEMBERS', KEYS[first]) or {}) do
    members[other] = first
    find(other)
  end
end
find(known)
if #undeclared > 1 then return undeclared end
local open, gone, expired = 0, {}, {}
local run = known and record(others[known])
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
for other, first in pairs(members) do
  local run = record(others[other])
  if not run[1] or run[4] then
    gone[other] = first
  elseif tonumber(run[6]) <= now then
    gone[other] = first
    expired[other] = run
  else
    if ARGV[9] == '0' and session ~= '' and run[2] == session then return {'run-active', other, unpack(run, 1, 4)} end
    open = open + 1
  end
end
if owner ~= '' and open >= tonumber(ARGV[8]) then return {'too-many-runs'} end
-- The first write takes memory, so that a full Redis refuses the run as a whole.
redis.call('HSET', KEYS[1], 'owner', owner, 'session', session, 'seq', -1, 'hash', hash, 'lease', now + LEASE)
for other, first in pairs(gone) do redis.call('SREM', KEYS[first], other) end
for other, run in pairs(expired) do finish(others[other], run, ARGV[10]) end
if owner ~= '' then
  redis.call('SADD', KEYS[3], id)
  -- Other runs of the owner may be open for longer.
  redis.call('PEXPIRE', KEYS[3], LEASE + KEEP)
end
if session ~= '' then redis.call('SET', KEYS[5], id, 'PX', LEASE + KEEP) end
local wasStopped = false
if key ~= '' then
  redis.call('SET', KEYS[4], id, 'PX', LEASE + KEEP)
  for first = 3, 4 * formats, 4 do
    local forgottenAt = redis.call('ZSCORE', KEYS[first + 3], key)
    wasStopped = wasStopped or forgottenAt and tonumber(forgottenAt) > now
    if forgottenAt then redis.call('ZREM', KEYS[first + 3], key) end
  end
end
keep(1, LEASE + KEEP)
if wasStopped then finish(1, record(1), ARGV[11]) end
return {'created', id, unpack(record(1), 1, 4)}`,

  /** run, log, names to keep… · firstSeq, entries… */
  append: `
local first = tonumber(ARGV[3])
local run = record(1)
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
local seq = tonumber(run[3])
if first > seq + 1 then return 'lost' end
local last = first + #ARGV - 4
if first <= seq and last >= first then
  local known = redis.call('XRANGE', KEYS[2], (first + 1) .. '-0', '+', 'COUNT', last - first + 1)
  for i, entry in ipairs(known) do
    if entry[2][2] ~= ARGV[3 + i] then return 'lost' end
  end
end
for i = seq + 1, last do
  redis.call('XADD', KEYS[2], (i + 1) .. '-0', 'json', ARGV[4 + i - first])
end
if seq == -1 then keep(1, LEASE + KEEP) end
renew(1, math.max(seq, last))
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], LEASE + KEEP) end
announce(KEYS[2], last)
return 'ok'`,

  /** run, log, names to keep… */
  renew: `
local run = record(1)
if not run[1] then return 'lost' end
if run[4] then return 'ended' end
renew(1, run[3])
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], LEASE + KEEP) end
return 'ok'`,

  /** run, log, open and key if known · id, terminal, lastSeq, producerLostTerminal */
  end: `
local run = record(1)
if not run[1] then return false end
local isWhole = tonumber(run[3]) >= tonumber(ARGV[5])
local terminal = finish(1, run, isWhole and ARGV[4] or ARGV[6])
if KEYS[3] then redis.call('SREM', KEYS[3], ARGV[3]) end
if KEYS[4] then redis.call('PEXPIRE', KEYS[4], KEEP) end
return terminal`,

  /** run, log, open if known · id, producerLostTerminal */
  endIfLeaseExpired: `
local run = record(1)
if not run[1] then return false end
if not run[4] and tonumber(run[6]) > now then return false end
local terminal = finish(1, run, ARGV[4])
if KEYS[3] then redis.call('SREM', KEYS[3], ARGV[3]) end
return terminal`,

  /** run, log · after, limit, withNames */
  read: `
local run = record(1)
if not run[1] then return false end
local entries = {}
if tonumber(ARGV[4]) > 0 and tonumber(ARGV[3]) < tonumber(run[3]) then
  local first = (tonumber(ARGV[3]) + 2) .. '-0'
  local found = redis.call('XRANGE', KEYS[2], first, '+', 'COUNT', ARGV[4])
  -- A log that was evicted, wholly or in its first part, is lost.
  if not found[1] or found[1][1] ~= first then return false end
  for i, entry in ipairs(found) do entries[i] = entry[2][2] end
end
local names = ARGV[5] == '1' and {run[1], run[2]} or {}
return {run[3], run[4], entries, math.ceil(run[6] - now), names}`,

  /** session of one or two formats */
  latest: `
for i = 1, #KEYS do
  local id = redis.call('GET', KEYS[i])
  if id then return id end
end
return false`,

  /** (key, stops) of one or two formats, others… · key, rememberMs, maxStoppedKeys, number of formats, ids of others… */
  stopKey: `
local formats = tonumber(ARGV[6])
declare(7, 1 + 2 * formats)
for i = 1, 2 * formats, 2 do
  local id = redis.call('GET', KEYS[i])
  local run = find(id)
  if run and redis.call('EXISTS', KEYS[run]) == 1 then return {'found', id} end
end
if #undeclared > 1 then return undeclared end
-- First, because it works when Redis is full.
for i = 2, 2 * formats, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  redis.call('ZADD', KEYS[i], now + ARGV[4], ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[i], 0, -1 - ARGV[5])
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return {'unknown'}`,
};

export type RedisScriptName = keyof typeof bodies;

/** The whole text of a script. @param isSharded - Whether channels belong to the nodes of a cluster. */
export const redisScript = (name: RedisScriptName, isSharded: boolean): string =>
  library(isSharded ? "SPUBLISH" : "PUBLISH") + bodies[name];
