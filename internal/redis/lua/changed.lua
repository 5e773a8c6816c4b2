-- Tells which rooms had a publication after a sequence, or may have had one.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  sequence   ARGV[3] and on: rooms
-- Result   places of those rooms in the list, the first being 0

local top = stand(ARGV[1])
local after = tonumber(ARGV[2])
local forgotten = after < top.floor
local changed = {}
local first, slice = 3, 1000 -- unpack is bounded by Lua's stack
while first <= #ARGV do
  local scores = redis.call('ZMSCORE', KEYS[2], unpack(ARGV, first, math.min(first + slice - 1, #ARGV)))
  for i, score in ipairs(scores) do
    if score and tonumber(score) > after or not score and forgotten then
      table.insert(changed, first - 3 + i - 1)
    end
  end
  first = first + slice
end
return changed
