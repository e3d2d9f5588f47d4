import { redisScript } from './redis-script.ts';

/** Removes after reading: as GETDEL, which older servers lack. */
export const TAKE = redisScript(`
local value = redis.call('GET', KEYS[1])
if value then redis.call('DEL', KEYS[1]) end
return value
`);

export const GET_WITH_TIME = redisScript(`
local value = redis.call('GET', KEYS[1])
if not value then return {} end
return {value, redis.call('PTTL', KEYS[1])}
`);

/** ARGV: value, milliseconds. */
export const RENEW_IF = redisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`);

/** ARGV: value, next value, milliseconds. */
export const REPLACE_IF = redisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`);

/** ARGV: value. */
export const REMOVE_IF = redisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`);

/** ARGV: order, value, milliseconds. Kept as \`order:value\`. */
export const PUT_NEWER = redisScript(`
local kept = redis.call('GET', KEYS[1])
if kept and tonumber(string.match(kept, '^(%d+):') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
return 1
`);

export const GET_NEWEST = redisScript(`
local kept = redis.call('GET', KEYS[1])
if not kept then return {} end
local order, value = string.match(kept, '^(%d+):(.*)$')
if not order then return {} end
return {value, order, redis.call('PTTL', KEYS[1])}
`);

/** ARGV: value, how many at most, milliseconds. */
export const APPEND = redisScript(`
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`);

/**
 * KEYS: entry, lease, generation. ARGV: a new generation, a new owner (22 characters each), milliseconds of the lease and of a new
 * generation. An entry begins with its generation, a lease too: those of another one are none.
 */
export const LOOK = redisScript(`
local generation = redis.call('GET', KEYS[3])
if not generation then
  generation = ARGV[1]
  redis.call('SET', KEYS[3], generation, 'PX', ARGV[4])
end
local entry = redis.call('GET', KEYS[1])
if entry and string.sub(entry, 1, #generation) == generation then
  return {'value', string.sub(entry, #generation + 1)}
end
local lease = redis.call('GET', KEYS[2])
if lease and string.sub(lease, 1, #generation) == generation then return {'busy', ''} end
local token = generation .. ARGV[2]
redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
return {'lease', token}
`);

/**
 * KEYS: entry, lease, generation. ARGV: token, value, milliseconds of the lease and of the entry, both from when the lease was given: so
 * an entry is never older than its time, however late this comes.
 */
export const FILL = redisScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local left = tonumber(ARGV[4]) - tonumber(ARGV[3]) + redis.call('PTTL', KEYS[2])
redis.call('DEL', KEYS[2])
local generation = redis.call('GET', KEYS[3])
if not generation or string.sub(ARGV[1], 1, #generation) ~= generation or left <= 0 then return 0 end
redis.call('SET', KEYS[1], generation .. ARGV[2], 'PX', left)
if redis.call('PTTL', KEYS[3]) < left then redis.call('PEXPIRE', KEYS[3], left) end
return 1
`);
