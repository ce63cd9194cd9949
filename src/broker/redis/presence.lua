-- Presence: writes the number of viewers of this node and sums the numbers of the other nodes that have not expired.
-- KEYS: one hash per stream
-- ARGV: 1 node, 2 TTL of a number (ms), then this node's number for each stream
-- Returns: the sum of the other nodes, for each stream.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = {}
for index, key in ipairs(KEYS) do
  local own = ARGV[index + 2]
  if own == '0' then
    redis.call('HDEL', key, ARGV[1])
  else
    redis.call('HSET', key, ARGV[1], own .. ' ' .. string.format('%.0f', now + ARGV[2]))
    redis.call('PEXPIRE', key, 4 * ARGV[2])
  end
  local sum, fields = 0, redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local number, expires_at = string.match(fields[at + 1], '^(%d+) (%d+)$')
    if tonumber(expires_at) < now then
      redis.call('HDEL', key, fields[at])
    elseif fields[at] ~= ARGV[1] then
      sum = sum + tonumber(number)
    end
  end
  out[index] = sum
end
return out
