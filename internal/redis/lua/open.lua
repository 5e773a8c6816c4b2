-- Runs first on every connection: an epoch belongs to the Redis process that counts.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- ARGV[1]  epoch to use if a new one begins
-- ARGV[2]  'master' if a replica will not do
-- Result   run_id of the process

local _, refusal = adopt(stand(ARGV[1]), ARGV[1])

-- A replica begins no epoch, and no sequence is consumed there. But it is good to be read
-- from, and its channel brings what the master publishes.
if refusal and not (readonly(refusal) and ARGV[2] ~= 'master') then
  return refusal
end
return process()
