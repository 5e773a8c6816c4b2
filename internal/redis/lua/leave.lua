-- Removes a room from a session's record.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  generation   ARGV[3]  room
-- Result   {'stale'} or {'left'}

if held(KEYS[3]) > tonumber(ARGV[2]) then return {'stale'} end
redis.call('HDEL', KEYS[3], 'r:' .. ARGV[3])
linger(KEYS[3])
return {'left'}
