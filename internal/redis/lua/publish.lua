-- Gives publications the next sequences, keeps them in their rooms' histories and publishes
-- them. What many callers publish at a time comes together, because most of what a script
-- costs Redis it costs once. Yet each stands alone: of a fault of its own keys the others
-- hear nothing.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- KEYS[3]  tails, a hash: room -> '<bytes> <from> <since>'
--            bytes   of objects published to its history, ever
--            from    how many of them before its oldest entry, or an older one
--            since   Redis time in milliseconds of that entry
--          All of this is in the history too, but reading it there costs more than all the rest.
-- KEYS[4]  and on, for each publication: history of its room, its id
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
  local key = 4 + (at - 8) / 2
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
    answers[i] = epoch and again(publication, fingerprint, epoch, seq) or 'failed ERR the memory of its id is not sound'
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

-- An index that is gone no longer bounds the tails.
if top.forgotten then redis.call('DEL', KEYS[3]) end
local tails = {}
for i, text in ipairs(redis.call('HMGET', KEYS[3], unpack(rooms))) do
  if text then
    local total, from, since = string.match(text, '^(%d+) (%d+) (%d+)$')
    if total then
      tails[rooms[i]] = {total = tonumber(total), from = tonumber(from), since = tonumber(since)}
    end
  end
end

-- tail reads what is not known of a history, or no longer, in itself. What somebody else has
-- written there counts as of no size, and as old.
local function tail(history)
  local newest = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
  if not newest then return {total = 0, from = 0, since = now} end
  newest = entry(newest)
  local oldest = entry(redis.call('XRANGE', history, '-', '+', 'COUNT', 1)[1])
  return {
    total = newest.before and newest.before + #newest.object or 0,
    from = oldest.before or 0, since = oldest.time or 0,
  }
end

local function append(publication)
  local known = tails[publication.room] or tail(publication.history)
  redis.call('XADD', publication.history, 'MAXLEN', '=', size, publication.seq,
    'p', publication.previous, 'b', decimal(known.total), 't', time, 'o', publication.object)
  known.total, known.history, known.last = known.total + #publication.object, publication.history, publication.seq
  tails[publication.room], last[publication.room] = known, publication.seq
end

-- trim keeps a history within its bytes and its age. Every entry is trimmed once, so the walk
-- costs no more than what was published; the bound of 1000 entries is for large histories
-- that age all at once. The newest entry always stays.
local function trim(known)
  local function fits() return known.total - known.from <= bytes and now - known.since <= ttl end
  if fits() then return end
  local trimmed, keep = 0, nil
  walk(known.history, '-', function(old)
    keep, known.from, known.since = old.seq, old.before or 0, old.time or 0
    if fits() or old.seq == known.last or trimmed == 1000 then return true end
    trimmed = trimmed + 1
  end)
  if trimmed > 0 then
    redis.call('XTRIM', known.history, 'MINID', '=', keep)
  end
end

for i, publication in ipairs(fresh) do
  publication.seq = decimal(top.seq + i)
  publication.previous = last[publication.room]
  local done, refusal = pcall(append, publication)
  if not done then
    publication.fault = type(refusal) == 'table' and refusal.err or refusal -- before Redis 7 a string
  end
end

local index, fields = {}, {}
for room, known in pairs(tails) do
  if known.last then
    trim(known)
    redis.call('PEXPIRE', known.history, ttl)
    table.insert(index, known.last)
    table.insert(index, room)
    table.insert(fields, room)
    table.insert(fields, string.format('%.0f %.0f %.0f', known.total, known.from, known.since))
  end
end
if #index > 0 then
  redis.call('ZADD', KEYS[2], unpack(index))
  redis.call('HSET', KEYS[3], unpack(fields))
end
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[7])
if excess > 0 then
  local forgotten = redis.call('ZPOPMIN', KEYS[2], math.min(excess, 100))
  redis.call('HSET', KEYS[1], 'floor', decimal(tonumber(forgotten[#forgotten])))
  for i = 1, #forgotten, 2 do redis.call('HDEL', KEYS[3], forgotten[i]) end
end

-- Last but the publish, so that no failing step is answered as success later.
local messages, lengths = {}, {}
for _, publication in ipairs(fresh) do
  if not publication.fault then
    redis.call('SET', publication.id, top.epoch .. ' ' .. publication.seq .. ' ' .. publication.fingerprint,
      'PX', publication.remember)
    local message = 'P ' .. publication.seq .. ' ' .. publication.previous .. ' ' .. top.epoch ..
      ' ' .. publication.room .. '\n' .. publication.object
    table.insert(messages, message)
    table.insert(lengths, #message)
  end
end
if #messages == 1 then
  redis.call('PUBLISH', channel, messages[1])
elseif #messages > 1 then
  redis.call('PUBLISH', channel, 'B ' .. table.concat(lengths, ' ') .. '\n' .. table.concat(messages))
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
