-- Publishes where the sequence stands without consuming a number, so that a loss before a
-- quiet spell shows too.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  channel   ARGV[3]  instance
-- Result   number of subscribers of this node that it was sent to

local top = stand(ARGV[1])
return redis.call('PUBLISH', ARGV[2], 'H ' .. ARGV[3] .. ' ' .. top.epoch .. ' ' .. decimal(top.seq))
