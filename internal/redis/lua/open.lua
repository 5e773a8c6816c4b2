-- Runs first on every connection: an epoch belongs to the Redis process that counts.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- ARGV[1]  epoch to use if a new one begins
-- Result   epoch

return adopt(stand(ARGV[1]), ARGV[1]).epoch
