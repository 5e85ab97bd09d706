-- Primes by a pipeline of actors: each one holds a prime and passes on what it does not divide.
--
--   perilune examples/prime_actors.lua [-- LIMIT]      (100 unless given)
local inbox = require 'inbox'

if _CONTEXT == 'worker' then
  -- The first number is this actor's prime; 0 is the end.
  local start = inbox:receive()
  local main, prime, next = start.main, start.prime, nil
  main:send(prime)
  while true do
    local n = inbox:receive()
    if n == 0 then
      if next then next:send(0) else main:send('end') end
      return
    end
    if n % prime ~= 0 then
      if next then
        next:send(n)
      else
        next = spawn_vm '.'
        next:send { main = main, prime = n }
      end
    end
  end
end

local limit = tonumber(require('system').arguments[3]) or 100
local first = spawn_vm '.'
first:send { main = inbox, prime = 2 }
spawn(function()
  for n = 3, limit do first:send(n) end
  first:send(0)
end):detach()

local primes = {}
for prime in inbox.receive, inbox do
  if prime == 'end' then break end
  primes[#primes + 1] = prime
end
print(table.concat(primes, ' '))
