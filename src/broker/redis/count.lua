-- Writes how many watch on this node, and sums the other nodes whose number is not too old.
-- KEYS: one hash for each stream
-- ARGV: 1 node, 2 how long a number holds in ms, then our number for each stream
-- Gives: the sum of the others, for each stream.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = {}
for place, key in ipairs(KEYS) do
  local own = ARGV[place + 2]
  if own == '0' then
    redis.call('HDEL', key, ARGV[1])
  else
    redis.call('HSET', key, ARGV[1], own .. ' ' .. string.format('%.0f', now + ARGV[2]))
    redis.call('PEXPIRE', key, 4 * ARGV[2])
  end
  local sum, fields = 0, redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local number, good_until = string.match(fields[at + 1], '^(%d+) (%d+)$')
    if tonumber(good_until) < now then
      redis.call('HDEL', key, fields[at])
    elseif fields[at] ~= ARGV[1] then
      sum = sum + tonumber(number)
    end
  end
  out[place] = sum
end
return out
