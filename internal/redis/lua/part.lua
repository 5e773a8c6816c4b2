-- Notes that a session's connection has ended: for good, or with a time in which it may
-- be continued. The record of a later generation is left alone. One of an earlier is what a
-- failover has left, and continues nobody: the rooms joined since are not in it.
--
-- Of what is over the generation stays for a while, so that an instance that was deaf, and
-- holds the session under an earlier one, does not make a record of it again.
--
-- KEYS[1]  meta   KEYS[2]  room index   KEYS[3]  record
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  generation
-- ARGV[3]  milliseconds to keep the record, 0 if the session is over
-- Result   {'stale'}, {'absent'} or {'parted'}

local before = held(KEYS[3])
if before == 0 then return {'absent'} end
if before > tonumber(ARGV[2]) then return {'stale'} end
if ARGV[3] == '0' or before < tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[3]) -- first: a script that has written is not refused for want of memory
  redis.call('HSET', KEYS[3], 'gen', ARGV[2], 'gone', '0')
  redis.call('PEXPIRE', KEYS[3], grace)
else
  redis.call('HSET', KEYS[3], 'gone', decimal(milliseconds()))
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return {'parted'}
