-- Gives a publication the next sequence, keeps it in its room's history and publishes it.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  history of the room   KEYS[4]  publish id
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  channel   ARGV[3]  room   ARGV[4]  object   ARGV[5]  fingerprint
-- ARGV[6]  milliseconds to remember the id
-- ARGV[7]  history: entries   ARGV[8]  bytes   ARGV[9]  milliseconds
-- ARGV[10] rooms in the index   ARGV[11] run_id of the process that is to count
-- Result   {outcome, epoch, sequence}, outcome one of new, duplicate, reused

local channel, room, object, fingerprint = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local size, bytes, ttl = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])

local known = redis.call('GET', KEYS[4])
if known then
  local epoch, seq, first = string.match(known, '^(%S+) (%d+) (.*)$')
  return {first == fingerprint and 'duplicate' or 'reused', epoch, seq}
end

-- Asking Redis which process it is would cost as much as half of the rest. So that is
-- done only where the caller, who asked when connecting, does not know the one that counts.
local top = stand(ARGV[1])
if top.run ~= ARGV[11] then
  local refusal
  top, refusal = adopt(top, ARGV[1])
  if refusal then return refusal end
end
local seq = decimal(top.seq + 1)

-- Of a room that the index does not hold it is only known that it was not published to
-- after the floor.
local previous = decimal(tonumber(redis.call('ZSCORE', KEYS[2], room) or top.floor))

-- The first write: when memory is short Redis refuses it, and only it, so that a script
-- never ends half-way for that reason.
redis.call('HSET', KEYS[1], 'seq', seq, 'floor', decimal(top.floor))

local now = milliseconds()
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local before = 0
if newest then
  newest = entry(newest)
  before = newest.before + #newest.object
end
redis.call('XADD', KEYS[3], 'MAXLEN', '=', size, seq, 'p', previous, 'b', decimal(before), 't', decimal(now), 'o', object)

-- Every entry is trimmed once, so the walk costs no more than what was published; the
-- bound of 1000 entries is for large histories that age all at once. The newest entry
-- always stays.
local trimmed, keep = 0, nil
walk(KEYS[3], '-', function(old)
  keep = old.seq
  local fits = before + #object - old.before <= bytes and now - old.time <= ttl
  if fits or old.seq == seq or trimmed == 1000 then return true end
  trimmed = trimmed + 1
end)
if trimmed > 0 then
  redis.call('XTRIM', KEYS[3], 'MINID', '=', keep)
end
redis.call('PEXPIRE', KEYS[3], ttl)

redis.call('ZADD', KEYS[2], seq, room)
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[10])
if excess > 0 then
  local forgotten = redis.call('ZPOPMIN', KEYS[2], math.min(excess, 100))
  redis.call('HSET', KEYS[1], 'floor', decimal(tonumber(forgotten[#forgotten])))
end

-- Last but the publish, so that no failing step is answered as success later.
redis.call('SET', KEYS[4], top.epoch .. ' ' .. seq .. ' ' .. fingerprint, 'PX', ARGV[6])
redis.call('PUBLISH', channel, 'P ' .. seq .. ' ' .. previous .. ' ' .. top.epoch .. ' ' .. room .. '\n' .. object)
return {'new', top.epoch, seq}
