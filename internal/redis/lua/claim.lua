-- Gives a session to an instance, unless it was lost too long ago or its record is of an
-- epoch before, and tells its former one. A refused record is left as it is, and expires.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record   KEYS[4]  leases
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  channel   ARGV[3]  digest of the private id
-- ARGV[4]  subject   ARGV[5]  instance
-- ARGV[6]  how old a loss may be, in milliseconds
-- ARGV[7]  how old the lease of an instance that is alive may be, in milliseconds
-- Result   {}, or {epoch, sequence, previous epoch or '', its last sequence or 0,
--           generation, sid, then for each room: room, offset of the stay}

local session, leases = KEYS[3], KEYS[4]
local record = read(session)
if not record.gen or record.subject ~= ARGV[4] then return {} end
local top = stand(ARGV[1])
if record.epoch ~= top.epoch then return {} end

-- A loss that was seen has its own time. Otherwise the owner's lease tells: the owner is
-- alive, and the client is quicker to notice than it, or it crashed after its last
-- heartbeat. Of an owner without a lease nothing later is known than its last write.
local window, alive = tonumber(ARGV[6]), tonumber(ARGV[7])
local now = milliseconds()
local lease = redis.call('ZSCORE', leases, record.instance)
if record.gone then
  if now - tonumber(record.gone) > window then return {} end
elseif lease then
  if now - tonumber(lease) > math.max(window, alive) then return {} end
elseif now - tonumber(record.at) > window then
  return {}
end

-- Generations follow the clock so that one which a failover took back is not given out a
-- second time: of two connections that both believe in it, neither would close.
local generation = decimal(math.max(tonumber(record.gen) + 1, microseconds()))
redis.call('HSET', session, 'gen', generation, 'instance', ARGV[5], 'at', decimal(now))
redis.call('HDEL', session, 'gone')
linger(session)

local result = {top.epoch, decimal(top.seq), top.prev_epoch, top.prev_top, generation, record.sid}
for field, value in pairs(record) do
  if string.sub(field, 1, 2) == 'r:' then
    table.insert(result, string.sub(field, 3))
    table.insert(result, value)
  end
end
redis.call('PUBLISH', ARGV[2], 'C ' .. ARGV[3] .. ' ' .. generation)
return result
