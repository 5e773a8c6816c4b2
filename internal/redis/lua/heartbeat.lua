-- Publishes where the sequence stands without consuming a number, so that a loss before a
-- quiet spell shows too, and renews the instance's lease on its sessions.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  leases
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  channel   ARGV[3]  instance
-- ARGV[4]  when it was sent, by the instance's own clock
-- Result   number of subscribers of this node that it was sent to

-- A server can become a replica and a master again under open connections.
local top, refusal = adopt(stand(ARGV[1]), ARGV[1])
if refusal then return refusal end

-- Unprotected, a Redis that is out of memory would refuse the lease and so silence all
-- instances, who hear the channel perfectly well. But what is published on a replica is
-- heard there and nowhere else, so nobody may take it for the channel.
local now = milliseconds()
local renewed = redis.pcall('ZADD', KEYS[3], decimal(now), ARGV[3])
if type(renewed) == 'table' and readonly(renewed) then return renewed end
redis.pcall('ZREMRANGEBYSCORE', KEYS[3], '-inf', decimal(now - lifetime))
redis.pcall('PEXPIRE', KEYS[3], lifetime)

return redis.call('PUBLISH', ARGV[2], 'H ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. top.epoch .. ' ' .. decimal(top.seq))
