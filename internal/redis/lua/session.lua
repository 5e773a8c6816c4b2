-- Opens the scripts about sessions, after sequence.lua; not a script by itself.
--
-- A session's record is a hash:
--   gen           generation of the tenancy that it belongs to
--   sid, subject  the session's public id, and whose it is or ''
--   instance      the instance that serves it
--   epoch         the epoch of the last write but for a leave: whoever takes the sequence over
--                 may not have the last of them, and a session must not be continued
--                 without a room that it is in
--   at            Redis time in milliseconds of the last write
--   gone          Redis time in milliseconds at which the connection was seen to be lost;
--                 absent while there is one, and after a crash, which nobody saw
--   r:<room>      offset of the stay: the position at which the room was joined, and
--                 behind a dot the number of that join, if it has one (event.Offset)
-- Of a session that is over there are gen, and 0 as gone, for a while.
-- The leases are a sorted set: instance -> Redis time in milliseconds of its last
-- heartbeat. They date a crash.

-- event.RecordLife in milliseconds.
local lifetime = 24 * 60 * 60 * 1000

-- event.RecordGrace in milliseconds.
local grace = 60 * 1000

-- held is the generation of a record, 0 if there is none.
local function held(session)
  return tonumber(redis.call('HGET', session, 'gen') or 0)
end

-- read is all of a record, by field.
local function read(session)
  local flat, record = redis.call('HGETALL', session), {}
  for i = 1, #flat, 2 do
    record[flat[i]] = flat[i + 1]
  end
  return record
end

-- numbered is the number of a stay's join.
local function numbered(stay)
  return tonumber(string.match(stay, '%.(%d+)$') or 0)
end

-- linger renews the life of a record whose session has a connection. Another one keeps
-- its end: what arrives late, after word of the loss, must not bring it back to life.
local function linger(session)
  if redis.call('HEXISTS', session, 'gone') == 0 then
    redis.call('PEXPIRE', session, lifetime)
  end
end
