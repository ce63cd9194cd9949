-- Returns the position of a stream's log and the batches after a given position; for another epoch or no position, the newest batches.
-- KEYS: meta, history
-- ARGV: 1 this server's run, 2 a new epoch, 3 epoch and 4 seq of the position (or both empty), 5 most batches, 6 meta TTL (ms)
-- Returns: epoch, seq, and the batches, oldest first.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run')
local epoch, seq = meta[1], tonumber(meta[2] or '0')
if not epoch or meta[3] ~= ARGV[1] then
  epoch, seq = ARGV[2], 0
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
local out = {epoch, seq}
if ARGV[3] == epoch then
  if tonumber(ARGV[4]) < seq then
    local entries = redis.call('XRANGE', KEYS[2], (tonumber(ARGV[4]) + 1) .. '-0', '+', 'COUNT', ARGV[5])
    for _, entry in ipairs(entries) do out[#out + 1] = entry[2][2] end
  end
else
  local entries = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[5])
  for index = #entries, 1, -1 do out[#out + 1] = entries[index][2][2] end
end
return out
