-- Reads where the sequence stands.
--
-- KEYS[1]  meta   KEYS[2]  room index
-- ARGV[1]  epoch to use if a new one begins
-- Result   {epoch, sequence, previous epoch or '', its last sequence or 0}

local top = stand(ARGV[1])
return {top.epoch, decimal(top.seq), top.prev_epoch, top.prev_top}
