-- Gives publications the next sequences, keeps them in their rooms' histories and publishes
-- them. What many callers publish at a time comes together, because most of what a script
-- costs Redis it costs once. Yet each stands alone: of a fault of its own keys the others
-- hear nothing.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- KEYS[3]  and on, for each publication: history of its room, its id
-- ARGV[1]  epoch to use if a new one begins   ARGV[2]  channel
-- ARGV[3]  run_id of the process that is to count
-- ARGV[4]  history: entries   ARGV[5]  bytes   ARGV[6]  milliseconds
-- ARGV[7]  rooms in the index
-- ARGV[8]  and on, for each publication: room, object, fingerprint, milliseconds to remember
--          its id
-- Result   for each publication '<outcome> <epoch> <sequence>', the outcome one of new,
--          duplicate, reused; or 'failed <what Redis said>'

local channel = ARGV[2]
local size, bytes, ttl = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])

local all, ids = {}, {}
for at = 8, #ARGV, 4 do
  local key = 3 + (at - 8) / 2
  table.insert(ids, KEYS[key + 1])
  table.insert(all, {
    history = KEYS[key], id = KEYS[key + 1],
    room = ARGV[at], object = ARGV[at + 1], fingerprint = ARGV[at + 2], remember = ARGV[at + 3],
  })
end

local function again(publication, fingerprint, epoch, seq)
  local outcome = publication.fingerprint == fingerprint and 'duplicate ' or 'reused '
  return outcome .. epoch .. ' ' .. seq
end

local answers, fresh, first = {}, {}, {}
local known = redis.call('MGET', unpack(ids))
for i, publication in ipairs(all) do
  if known[i] then
    local epoch, seq, fingerprint = string.match(known[i], '^(%S+) (%d+) (.*)$')
    answers[i] = again(publication, fingerprint, epoch, seq)
  elseif not first[publication.id] then -- or else it has come twice at a time
    first[publication.id] = publication
    table.insert(fresh, publication)
  end
end
if #fresh == 0 then return answers end

-- Asking Redis which process it is would cost as much as a publication. So that is done
-- only where the caller, who asked when connecting, does not know the one that counts.
local top = stand(ARGV[1])
if top.run ~= ARGV[3] then
  local refusal
  top, refusal = adopt(top, ARGV[1])
  if refusal then return refusal end
end

-- Of a room that the index does not hold it is only known that it was not published to
-- after the floor.
local floor, rooms, last = decimal(top.floor), {}, {}
for i, publication in ipairs(fresh) do rooms[i] = publication.room end
for i, score in ipairs(redis.call('ZMSCORE', KEYS[2], unpack(rooms))) do
  last[rooms[i]] = score and decimal(tonumber(score)) or floor
end

-- The first write: when memory is short Redis refuses it, and only it, so that a script
-- never ends half-way for that reason.
redis.call('HSET', KEYS[1], 'seq', decimal(top.seq + #fresh), 'floor', floor)

local now = milliseconds()
local time = decimal(now)
local published = {} -- bytes ever, by history

-- append returns what Redis refuses it with.
local function append(publication)
  local before = published[publication.history]
  if not before then
    local newest = redis.pcall('XREVRANGE', publication.history, '+', '-', 'COUNT', 1)
    if newest.err then return newest.err end
    newest = newest[1] and entry(newest[1])
    before = newest and newest.before + #newest.object or 0
  end
  local added = redis.pcall('XADD', publication.history, 'MAXLEN', '=', size, publication.seq,
    'p', publication.previous, 'b', decimal(before), 't', time, 'o', publication.object)
  if type(added) == 'table' then return added.err end
  published[publication.history] = before + #publication.object
end

-- trim keeps a history within its bytes and its age. Every entry is trimmed once, so the walk
-- costs no more than what was published; the bound of 1000 entries is for large histories
-- that age all at once. The newest entry always stays.
local function trim(history, total)
  local trimmed, keep, kept = 0, nil, nil
  walk(history, '-', function(old)
    keep, kept = old.seq, old.before + #old.object
    local fits = total - old.before <= bytes and now - old.time <= ttl
    if fits or kept == total or trimmed == 1000 then return true end
    trimmed = trimmed + 1
  end)
  if trimmed > 0 then
    redis.call('XTRIM', history, 'MINID', '=', keep)
  end
  redis.call('PEXPIRE', history, ttl)
end

local index = {}
for i, publication in ipairs(fresh) do
  publication.seq = decimal(top.seq + i)
  publication.previous = last[publication.room]
  publication.fault = append(publication)
  if not publication.fault then
    last[publication.room] = publication.seq
    table.insert(index, publication.seq)
    table.insert(index, publication.room)
  end
end
for history, total in pairs(published) do trim(history, total) end

if #index > 0 then redis.call('ZADD', KEYS[2], unpack(index)) end
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[7])
if excess > 0 then
  local forgotten = redis.call('ZPOPMIN', KEYS[2], math.min(excess, 100))
  redis.call('HSET', KEYS[1], 'floor', decimal(tonumber(forgotten[#forgotten])))
end

-- Last but the publish, so that no failing step is answered as success later.
for _, publication in ipairs(fresh) do
  if not publication.fault then
    local position = top.epoch .. ' ' .. publication.seq
    redis.call('SET', publication.id, position .. ' ' .. publication.fingerprint, 'PX', publication.remember)
    redis.call('PUBLISH', channel, 'P ' .. publication.seq .. ' ' .. publication.previous .. ' ' .. top.epoch ..
      ' ' .. publication.room .. '\n' .. publication.object)
  end
end

for i, publication in ipairs(all) do
  local done = first[publication.id]
  if answers[i] then -- known before
  elseif done.fault then
    answers[i] = 'failed ' .. done.fault
  elseif done == publication then
    answers[i] = 'new ' .. top.epoch .. ' ' .. publication.seq
  else
    answers[i] = again(publication, done.fingerprint, top.epoch, done.seq)
  end
end
return answers
