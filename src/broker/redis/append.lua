-- Numbers a batch of events, keeps it in history and publishes it: all or nothing, once per batch number.
-- KEYS: meta, history, and the idempotency key of an event that is published once.
-- ARGV: 1 node, 2 batch number, 3 deadline (ms of this server's clock), 4 this server's run, 5 a new epoch, 6 number of events,
--       7 their bytes, 8 channel, 9 publish or spublish, 10 batches kept, 11 history TTL, 12 meta TTL, 13 idempotency key TTL (ms)
-- Returns: epoch, seq of the last event, number of connections that received it (-1: published before). Empty: past the deadline.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run', ARGV[1])
local epoch, seq = meta[1], tonumber(meta[2] or '0')
if meta[4] then
  local batch, last_seq = string.match(meta[4], '^(%d+) (%d+)$')
  if tonumber(batch) == tonumber(ARGV[2]) then return {epoch, tonumber(last_seq), -1} end
  -- The node gave this batch up and continued: it must not be published out of order.
  if tonumber(ARGV[2]) < tonumber(batch) then return {} end
end
local time = redis.call('TIME')
if tonumber(ARGV[3]) < time[1] * 1000 + math.floor(time[2] / 1000) then return {} end
if KEYS[3] and not redis.call('SET', KEYS[3], ARGV[1], 'NX', 'PX', ARGV[13]) then return {epoch or ARGV[5], seq, -1} end
-- Another run of the server may have lost events that the last run numbered, so numbering starts again in a new epoch.
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
