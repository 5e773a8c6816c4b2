-- Notes that a session's connection has ended: for good, or with a time in which it may
-- be continued. The record of a later generation is left alone.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  generation
-- ARGV[3]  milliseconds to keep the record, 0 to delete it
-- Result   {'stale'}, {'absent'} or {'parted'}

local before = held(KEYS[3])
if before == 0 then return {'absent'} end
if before > tonumber(ARGV[2]) then return {'stale'} end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[3])
else
  redis.call('HSET', KEYS[3], 'gone', decimal(milliseconds()))
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return {'parted'}
