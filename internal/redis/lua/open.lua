-- Runs first on every connection. An epoch belongs to the Redis process that counts: after
-- a restart or a failover some publications may be gone, and without a new epoch their
-- numbers would be given to other events without anybody noticing.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- ARGV[1]  epoch to use if a new one begins
-- Result   epoch

local top = stand(ARGV[1])
local run = process()
if redis.call('HGET', KEYS[1], 'run') == run then
  return top.epoch
end

local seq = decimal(start(top.seq))
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', seq, 'run', run,
  'prev_epoch', top.epoch, 'prev_top', decimal(top.seq))
if top.seq == top.base then
  -- Nothing was ever published, so there is still nothing that an index could have lost.
  redis.call('HSET', KEYS[1], 'base', seq)
end
return ARGV[1]
