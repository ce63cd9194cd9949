-- Numbers a batch of events, keeps it, tells it: all or nothing, once for each batch number.
-- KEYS: meta, history, and for an event that is told once: its mark.
-- ARGV: 1 node, 2 batch, 3 good until (ms of this server's clock), 4 this server's run, 5 a new epoch, 6 events, 7 their bytes,
--       8 channel, 9 publish or spublish, 10 batches kept, 11 history ms, 12 meta ms, 13 mark ms
-- Gives: epoch, seq of the last event, how many connections heard it (-1: told before). Nothing at all: it came too late.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run', ARGV[1])
local epoch, seq = meta[1], tonumber(meta[2] or '0')
if meta[4] then
  local batch, place = string.match(meta[4], '^(%d+) (%d+)$')
  if tonumber(batch) == tonumber(ARGV[2]) then return {epoch, tonumber(place), -1} end
  -- The node has given it up and gone on: out of order it must not come.
  if tonumber(ARGV[2]) < tonumber(batch) then return {} end
end
local time = redis.call('TIME')
if tonumber(ARGV[3]) < time[1] * 1000 + math.floor(time[2] / 1000) then return {} end
if KEYS[3] and not redis.call('SET', KEYS[3], ARGV[1], 'NX', 'PX', ARGV[13]) then return {epoch or ARGV[5], seq, -1} end
-- Another run of the server may have lost what the last one numbered, so its numbers do not go on.
if not epoch or meta[3] ~= ARGV[4] then
  epoch, seq = ARGV[5], 0
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', ARGV[4])
end
local message = 'L' .. epoch .. ' ' .. (seq + 1) .. ' ' .. ARGV[7]
seq = seq + tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'seq', seq, ARGV[1], ARGV[2] .. ' ' .. seq)
redis.call('PEXPIRE', KEYS[1], ARGV[12])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[10], seq .. '-0', 'b', message)
redis.call('PEXPIRE', KEYS[2], ARGV[11])
return {epoch, seq, redis.call(ARGV[9], ARGV[8], message)}
