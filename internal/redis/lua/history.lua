-- Opens the scripts that read a room's history; not a script by itself.
--
-- A history is a stream. An entry's id is its sequence; its fields are, in this order,
--   p  sequence of the room's publication before it
--   b  bytes of objects published to this history before it
--   t  Redis time in milliseconds
--   o  the object

local function entry(raw)
  local fields = raw[2]
  return {
    seq = string.match(raw[1], '^%d+'),
    previous = fields[2],
    before = tonumber(fields[4]),
    time = tonumber(fields[6]),
    object = fields[8],
  }
end

-- walk visits entries from the id from on, until visit returns true or there are no more.
-- Pages double, because most walks end at the first entry and objects may be large.
local function walk(stream, from, visit)
  local page = 1
  while true do
    local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', page)
    for _, raw in ipairs(entries) do
      if visit(entry(raw)) then return end
      from = '(' .. raw[1]
    end
    if #entries < page then return end
    page = math.min(2 * page, 64)
  end
end
