-- Writes a session's record, making it if there is none, and adds a room if one is named.
-- One that is not of the present epoch, or that is not there, is written only for a tenancy
-- that is vouched for in this epoch: the claim of a later one may have been lost.
--
-- All stays are written each time: a record that Redis has lost must never come back with
-- some of its rooms only, or the session would be continued without the others and nobody
-- would be told. None of the same generation is removed: that is for leave.lua, which this
-- may overtake.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  generation   ARGV[3]  sid   ARGV[4]  subject   ARGV[5]  instance
-- ARGV[6]  epoch in which the tenancy is vouched for
-- ARGV[7]  room to enter, or ''   ARGV[8]  number of that join
-- ARGV[9] and on: in pairs, room of a stay and the offset from which on it is answered
-- Result   {'stale'}, or {'unvouched' or 'kept', epoch and sequence at which the stay begins,
--           or where the sequence stands, previous epoch or '', its last sequence or 0}

local session, generation = KEYS[3], tonumber(ARGV[2])
local record = read(session)
local before = tonumber(record.gen or 0)
if before > generation then return {'stale'} end

local top = stand(ARGV[1])
local there = before == generation and record or {} -- of the same tenancy
if there.epoch ~= top.epoch and ARGV[6] ~= top.epoch then
  return {'unvouched', top.epoch, decimal(top.seq), top.prev_epoch, top.prev_top}
end
local fields = {
  'gen', ARGV[2], 'sid', ARGV[3], 'subject', ARGV[4], 'instance', ARGV[5],
  'at', decimal(milliseconds()), 'epoch', top.epoch,
}
local named = {}
for i = 9, #ARGV, 2 do
  local field, stay = 'r:' .. ARGV[i], ARGV[i + 1]
  named[field] = true
  if not there[field] or numbered(there[field]) <= numbered(stay) then -- a later one is no news that came late
    table.insert(fields, field)
    table.insert(fields, stay)
  end
end
-- A later join of the room begins another stay. The same one once more, because its answer
-- was lost, is told the same beginning: recovery goes by what the record says, and must
-- not find an earlier one there than the client was told. So is one that was overtaken.
local begun = {epoch = top.epoch, seq = decimal(top.seq)}
if ARGV[7] ~= '' then
  local field, number = 'r:' .. ARGV[7], tonumber(ARGV[8])
  local stay = there[field]
  if stay and numbered(stay) >= number then
    begun.epoch, begun.seq = string.match(stay, '^(.*):(%d+)')
  else
    named[field] = true
    table.insert(fields, field)
    table.insert(fields, begun.epoch .. ':' .. begun.seq .. (number > 0 and '.' .. ARGV[8] or ''))
  end
end

-- One write, and the first: when memory is short Redis refuses it, and only it.
redis.call('HSET', session, unpack(fields))
if before < generation then
  -- A lower generation is what a failover left of this session, or a former connection
  -- brought back; so are its other stays, and word of its end.
  for field in pairs(record) do
    if field == 'gone' or string.sub(field, 1, 2) == 'r:' and not named[field] then
      redis.call('HDEL', session, field)
    end
  end
end
linger(session)
return {'kept', begun.epoch, begun.seq, top.prev_epoch, top.prev_top}
