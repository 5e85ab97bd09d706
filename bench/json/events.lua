-- Adds up a field of each element of an array that comes on standard input, an element at a time.
local json, system = require 'json', require 'system'
local count, sum = 0, 0
for _, item in json.reader.new(system.in_):items() do
  count, sum = count + 1, sum + item.size
end
print(count, string.format('%.0f', sum))
