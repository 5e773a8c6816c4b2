-- Reads a room's events after a sequence, and what it takes to prove that none is missing.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  history of the room
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  room   ARGV[3]  sequence to read after   ARGV[4]  bytes of objects to stop at
-- Result   {epoch, sequence, previous epoch or '', its last sequence or 0,
--           the room's last sequence or 0, floor, 1 if there is more or 0,
--           then for each event: sequence, previous, object}

local top = stand(ARGV[1])
local last = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or 0)
local result = {
  top.epoch, decimal(top.seq), top.prev_epoch, top.prev_top,
  decimal(last), decimal(top.floor), '0',
}
local fixed = #result

local left = tonumber(ARGV[4])
walk(KEYS[3], '(' .. ARGV[3], function(event)
  left = left - #event.object
  if left < 0 and #result > fixed then
    result[fixed] = '1'
    return true
  end
  table.insert(result, event.seq)
  table.insert(result, event.previous)
  table.insert(result, event.object)
end)
return result
