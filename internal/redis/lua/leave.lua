-- Removes a room from a session's record.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  generation
-- ARGV[3]  room   ARGV[4]  number of the join whose stay ends; a later one's goes on
-- Result   {'stale'} or {'left'}

if held(KEYS[3]) > tonumber(ARGV[2]) then return {'stale'} end
local field = 'r:' .. ARGV[3]
local stay = redis.call('HGET', KEYS[3], field)
if stay and numbered(stay) <= tonumber(ARGV[4]) then
  redis.call('HDEL', KEYS[3], field)
end
linger(KEYS[3])
return {'left'}
