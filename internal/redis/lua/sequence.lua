-- Opens every script; not a script by itself.
--
-- KEYS[1]  meta hash of the channel:
--            epoch, seq            the sequence and where it stands
--            run                   run_id of the Redis process that counts it
--            prev_epoch, prev_top  the epoch before this one and where it ended
--            base                  where the sequence stood before its first publication
--            floor                 highest sequence at which the index forgot a room, 0 if none
-- KEYS[2]  room index, a sorted set: room -> sequence of its last publication

-- Lua prints large numbers as 1.7e+15.
local function decimal(number)
  return string.format('%.0f', number)
end

local function microseconds()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function milliseconds()
  return math.floor(microseconds() / 1000)
end

-- A new sequence starts at the time in microseconds, or at whatever is higher: streams
-- that outlived the meta hash refuse ids below their last one, and the sequences written
-- to one session may never fall.
local function start(after)
  local highest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  return math.max(microseconds(), after, tonumber(highest[2] or 0))
end

local function process()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end

-- stand tells where the sequence stands. A missing meta hash (first start, FLUSHALL,
-- eviction) begins a sequence under the epoch fresh rather than count from zero again.
local function stand(fresh)
  local at = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'prev_epoch', 'prev_top', 'base', 'floor', 'run')
  if not at[1] then
    local seq, run = decimal(start(0)), process()
    redis.call('HSET', KEYS[1], 'epoch', fresh, 'seq', seq, 'run', run, 'base', seq, 'floor', '0')
    at = {fresh, seq, false, false, seq, '0', run}
  end
  local top = {
    epoch = at[1], seq = tonumber(at[2]),
    prev_epoch = at[3] or '', prev_top = at[4] or '0',
    base = tonumber(at[5]), floor = tonumber(at[6]), run = at[7],
  }
  -- An index that vanished (eviction) has forgotten every room that ever published.
  if top.seq ~= top.base and redis.call('EXISTS', KEYS[2]) == 0 then
    top.floor, top.forgotten = top.seq, true
  end
  return top
end

local function readonly(refusal)
  return string.find(refusal.err, 'READONLY', 1, true) ~= nil
end

-- adopt begins a new epoch where another process has counted: after a restart or a
-- failover some publications may be gone, and without a new epoch their numbers would be
-- given to other events without anybody noticing. It returns where the sequence stands,
-- and Redis' refusal if there was one.
local function adopt(top, fresh)
  local run = process()
  if top.run == run then return top end
  local seq = decimal(start(top.seq))
  local written = redis.pcall('HSET', KEYS[1], 'epoch', fresh, 'seq', seq, 'run', run,
    'prev_epoch', top.epoch, 'prev_top', decimal(top.seq))
  if type(written) == 'table' and written.err then return top, written end
  if top.seq == top.base then
    -- Nothing was ever published, so there is still nothing that an index could have lost.
    redis.call('HSET', KEYS[1], 'base', seq)
  end
  return stand(fresh)
end
