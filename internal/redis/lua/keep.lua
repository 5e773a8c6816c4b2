-- Writes a session's record, making it if there is none, and adds a room if one is named.
--
-- All stays are written each time: a record that Redis has lost must never come back with
-- some of its rooms only, or the session would be continued without the others and nobody
-- would be told. None of the same generation is removed: that is for leave.lua, which this
-- may overtake.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  generation   ARGV[3]  sid   ARGV[4]  subject   ARGV[5]  instance
-- ARGV[6]  room to add at the top, or ''   ARGV[7]  what the offset of its stay ends in
-- ARGV[8] and on: in pairs, room of a stay and the offset from which on it is answered
-- Result   {'stale'}, or {'kept', epoch, sequence, previous epoch or '', its last sequence or 0}

local session, generation = KEYS[3], tonumber(ARGV[2])
local before = held(session)
if before > generation then return {'stale'} end

local top = stand(ARGV[1])
local fields = {
  'gen', ARGV[2], 'sid', ARGV[3], 'subject', ARGV[4], 'instance', ARGV[5],
  'at', decimal(milliseconds()),
}
for i = 8, #ARGV, 2 do
  table.insert(fields, 'r:' .. ARGV[i])
  table.insert(fields, ARGV[i + 1])
end
-- A room that is there keeps its position, even if this is only the second attempt after
-- an answer was lost: it is not known whether somebody sits there already, to whom what
-- came since then is still under way. Too early a position never doubles anything,
-- because recovery reads after whichever is later, it or the client's offset.
if ARGV[6] ~= '' and redis.call('HEXISTS', session, 'r:' .. ARGV[6]) == 0 then
  table.insert(fields, 'r:' .. ARGV[6])
  table.insert(fields, top.epoch .. ':' .. decimal(top.seq) .. ARGV[7])
end

-- One write, and the first: when memory is short Redis refuses it, and only it.
redis.call('HSET', session, unpack(fields))
if before < generation then
  -- A lower generation is what a failover left of this session, or a former connection
  -- brought back; so are its other stays, and word of its end.
  local named = {}
  for i = 11, #fields, 2 do
    named[fields[i]] = true
  end
  for _, field in ipairs(redis.call('HKEYS', session)) do
    if field == 'gone' or string.sub(field, 1, 2) == 'r:' and not named[field] then
      redis.call('HDEL', session, field)
    end
  end
end
linger(session)
return {'kept', top.epoch, decimal(top.seq), top.prev_epoch, top.prev_top}
