-- Array writes and reads: the sieve of Eratosthenes, a fresh table each round.
local function count_primes(limit)
  local composite = {}
  for i = 1, limit do composite[i] = false end
  local count = 0
  for i = 2, limit do
    if not composite[i] then
      count = count + 1
      for k = i * i, limit, i do composite[k] = true end
    end
  end
  return count
end

local total = 0
for round = 1, 100 do
  total = total + count_primes(500000 + round)
end
print(total)
