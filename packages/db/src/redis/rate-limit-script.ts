import { redisScript } from './redis-script.ts';

/**
 * What a key of ours holds in place of a counter is thrown away, as any key may be at any time. Redis writes whole numbers whole, Lua
 * does not beyond 14 digits: hence '%.0f'.
 */
const COUNTERS = `
local function number(value) return tonumber(value or '') or 0 end

local function readCounter(key)
  local m = redis.pcall('HMGET', key, 'n', 's', 'h', 't', 'f', 'l', 'c', 'z')
  if m.err then
    redis.call('DEL', key)
    m = {}
  end
  return { key = key, exists = m[1] and true or false, n = number(m[1]), s = number(m[2]), h = number(m[3]), t = number(m[4]),
    f = number(m[5]), l = number(m[6]), c = number(m[7]), z = number(m[8]), grains = {}, gone = {} }
end

local function grainAt(counter, place)
  if place == counter.t - 1 then return counter.l, counter.c end
  local grain = counter.grains[place] or redis.call('HGET', counter.key, place) or ''
  local start, count = string.match(grain, '^(%d+):(%d+)$')
  return number(start), number(count)
end

local function setGrain(counter, place, start, count)
  counter.grains[place] = string.format('%.0f:%d', start, count)
  if place == counter.t - 1 then counter.l, counter.c = start, count end
end

local function dropFirst(counter)
  counter.gone[#counter.gone + 1] = counter.h
  counter.grains[counter.h] = nil
  counter.h = counter.h + 1
end

-- Passes over grains without calls.
local function findFirst(counter)
  while counter.h < counter.t do
    local start, count = grainAt(counter, counter.h)
    if count > 0 then
      counter.f = start
      return
    end
    dropFirst(counter)
  end
end

local function writeCounter(counter)
  for from = 1, #counter.gone, 1000 do
    redis.call('HDEL', counter.key, unpack(counter.gone, from, math.min(#counter.gone, from + 999)))
  end
  local fields = { 'n', counter.n, 's', counter.s, 'h', counter.h, 't', counter.t, 'f', counter.f, 'l', counter.l, 'c', counter.c,
    'z', counter.z }
  for place, grain in pairs(counter.grains) do
    fields[#fields + 1] = place
    fields[#fields + 1] = grain
  end
  redis.call('HSET', counter.key, unpack(fields))
  if counter.keptMs then redis.call('PEXPIRE', counter.key, counter.keptMs) end
end
`;

/**
 * The sliding window of `@postern/policy` (limit/sliding-window.ts), to the same verdicts: a property test holds them together. For
 * several calls, one after the other; each spends all of its limits or none.
 *
 * KEYS: counters, and tenants' lists of counters, each once. ARGV: one text of words, for one argument and one answer cost the client less than
 * hundreds: how many counters a tenant has room for, milliseconds for which permits are given ahead, and how many of a counter that may not
 * be given so, number of calls; for each call the time in milliseconds or `-` for the server's, 0 to judge, 1 to spend, 2 for permits ahead
 * alone, its number of limits; then for each limit the places in KEYS of its counter, of the counter of those without room and of the
 * tenant's list, its requests, its seconds, and how many permits it would have ahead.
 * Answers a text, with five words for each limit: which key counts it (0 its own, 1 the shared one), allowed, time, remaining, seconds until
 * reset; then, for each limit that was given permits ahead, its place among all from 0, how many, and the time that counts them.
 *
 * Permits ahead are counted at the end of their time, as is what comes before that: no window ever holds more calls than it may.
 *
 * A counter is a hash: n the latest time seen, s the calls in the window, h and t the first and the next number of its grains, under each
 * number `start:count`; f the start of the first grain, l and c start and count of the last; z until when it is kept and listed.
 * Its end is put off only when it comes too near, so that most calls read and write one hash.
 */
export const RATE_LIMITS = redisScript(`${COUNTERS}
local time = redis.call('TIME')
local serverMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local words = {}
for word in string.gmatch(ARGV[1], '%S+') do words[#words + 1] = word end
local countersMax, aheadMs, keptBack = tonumber(words[1]), tonumber(words[2]), tonumber(words[3])
local counters = {}
local rooms = {}

local function counterOf(key)
  local counter = counters[key]
  if not counter then
    counter = readCounter(key)
    counters[key] = counter
  end
  return counter
end

local function roomOf(list, nowMs)
  if not rooms[list] then
    local swept = redis.pcall('ZREMRANGEBYSCORE', list, '-inf', nowMs)
    if type(swept) == 'table' then redis.call('DEL', list) end
    rooms[list] = countersMax - redis.call('ZCARD', list)
  end
  return rooms[list]
end

local function advance(limit, nowMs)
  local counter = limit.counter
  -- One that is not there yet remembers nothing.
  if nowMs > counter.n or not counter.exists then
    counter.n = nowMs
    counter.changed = true
  end
  while counter.h < counter.t and counter.f + limit.grain - 1 + limit.window <= counter.n do
    local _, count = grainAt(counter, counter.h)
    counter.s = counter.s - count
    dropFirst(counter)
    findFirst(counter)
    counter.changed = true
  end
  if counter.h >= counter.t then counter.s = 0 end
end

local function keepFor(limit)
  local counter = limit.counter
  if math.max(counter.n, counter.l) + limit.seconds * 1001 + 1 <= counter.z then return end
  counter.keptMs = math.floor(limit.seconds * 1250) + 10
  counter.z = counter.n + counter.keptMs
  if limit.shared == 1 then return end
  redis.call('ZADD', limit.list, counter.z, counter.key)
  if redis.call('PTTL', limit.list) < counter.keptMs then redis.call('PEXPIRE', limit.list, counter.keptMs) end
end

local function countCalls(limit, atMs, calls)
  local counter = limit.counter
  local start = math.floor(atMs / limit.grain) * limit.grain
  if counter.h < counter.t and counter.l >= start then
    setGrain(counter, counter.t - 1, counter.l, counter.c + calls)
  else
    counter.t = counter.t + 1
    setGrain(counter, counter.t - 1, start, calls)
    if counter.h == counter.t - 1 then counter.f = start end
  end
  counter.s = counter.s + calls
  counter.changed = true
  keepFor(limit)
end

local function spend(limit)
  local counter = limit.counter
  limit.allowed = counter.s < limit.requests
  if not limit.allowed then return end
  countCalls(limit, counter.n, 1)
  limit.at = math.max(counter.n, counter.l)
  if not counter.exists then
    counter.exists = true
    if limit.shared == 0 then rooms[limit.list] = rooms[limit.list] - 1 end
  end
end

local function giveAhead(limit)
  local left = limit.requests - limit.counter.s
  -- Only a call's own permit makes a counter.
  if not limit.counter.exists or left < math.max(keptBack, limit.requests / 8) then return 0 end
  local permits = math.min(limit.ahead, math.floor(left / 8))
  if permits > 0 then countCalls(limit, limit.counter.n + aheadMs, permits) end
  return permits
end

local function openLimits(from, count, nowMs)
  local limits, all, opening = {}, true, {}
  for i = 1, count do
    local at = from + 6 * (i - 1)
    local keys = { KEYS[tonumber(words[at])], KEYS[tonumber(words[at + 1])], KEYS[tonumber(words[at + 2])] }
    local limit = { requests = tonumber(words[at + 3]), seconds = tonumber(words[at + 4]), ahead = tonumber(words[at + 5]),
      list = keys[3], shared = 0, counter = counterOf(keys[1]) }
    limit.window = limit.seconds * 1000
    limit.grain = math.max(1, math.floor(limit.seconds))
    if not limit.counter.exists and not limit.counter.opening then
      local taken = opening[limit.list] or 0
      if roomOf(limit.list, nowMs) > taken then
        opening[limit.list] = taken + 1
        limit.counter.opening = true
      else
        limit.shared = 1
        limit.counter = counterOf(keys[2])
      end
    end
    advance(limit, nowMs)
    limit.allowed = limit.counter.s < limit.requests
    all = all and limit.allowed
    limits[i] = limit
  end
  return limits, all
end

local answer, given = {}, {}
local at = 5
for call = 1, tonumber(words[4]) do
  local nowMs = tonumber(words[at]) or serverMs
  local does, count = words[at + 1], tonumber(words[at + 2])
  local limits, all = openLimits(at + 3, count, nowMs)
  for _, limit in ipairs(limits) do
    if does == '1' and all then spend(limit) end
    local counter = limit.counter
    counter.opening = nil
    local untilNext = limit.window
    if counter.h < counter.t then untilNext = counter.f + limit.grain - 1 + limit.window - counter.n end
    local permits = (limit.at or does == '2') and limit.ahead > 0 and giveAhead(limit) or 0
    if permits > 0 then given[#given + 1] = string.format('%d %d %.0f', #answer, permits, counter.l) end
    answer[#answer + 1] = string.format('%d %d %.0f %.0f %.0f', limit.shared, limit.allowed and 1 or 0, limit.at or counter.n,
      math.max(0, limit.requests - counter.s), math.max(1, math.ceil(untilNext / 1000)))
  end
  at = at + 3 + 6 * count
end
for _, counter in pairs(counters) do
  if counter.changed and counter.exists then writeCounter(counter) end
end
for _, grant in ipairs(given) do answer[#answer + 1] = grant end
return table.concat(answer, ' ')
`);

/** KEYS: counters. ARGV, for each: the time its calls were counted at, the window's seconds, and how many the grain of that time loses. */
export const GIVE_BACK = redisScript(`${COUNTERS}
for i, key in ipairs(KEYS) do
  local counter = readCounter(key)
  local grain = math.max(1, math.floor(tonumber(ARGV[3 * i - 1])))
  local start = math.floor(tonumber(ARGV[3 * i - 2]) / grain) * grain
  for place = counter.t - 1, counter.h, -1 do
    local at, count = grainAt(counter, place)
    if at < start then break end
    if at == start then
      local less = math.min(count, tonumber(ARGV[3 * i]))
      if less > 0 then
        setGrain(counter, place, at, count - less)
        counter.s = counter.s - less
        findFirst(counter)
        writeCounter(counter)
      end
      break
    end
  end
end
return 1
`);
