-- Microseconds of CPU time that small documents take, as servers have them: name, bytes, decode, encode.
local json, clock
if _CONTEXT then -- Perilune
  json = require 'json'
  -- It has no clock of CPU time: the least of many short runs is one that nobody interrupted.
  local steady = require('time').steady_clock
  local start = steady.now()
  clock = function() return steady.now() - start end
else
  json, clock = require 'cjson', os.clock
end

local function record(i)
  return ('{"id":%d,"name":"amber birch","size":%d,"ratio":%g,"active":%s,"parent":null,"text":"%s: %d",'
    .. '"tags":["one","two"],"place":{"lat":48.2082,"lon":16.3738,"city":"Wien"}}'):format(
    i, i * 977, i / 7, i % 2 == 0 and 'true' or 'false', 'the quick brown fox jumps over the lazy dog', i)
end

local function page(n)
  local records = {}
  for i = 1, n do records[i] = record(i) end
  return '{"items":[' .. table.concat(records, ',') .. '],"total":' .. n .. ',"next":"/items?page=2"}'
end

local numbers = {}
for i = 1, 300 do numbers[i] = tostring(i * 1.5) end

local documents = {
  { 'a call', '{"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":1}' },
  { 'a session', '{"user":{"id":1234,"name":"Grace Hopper","admin":false},"scopes":["read","write"],'
    .. '"token":"a8f5f167f44f4964e6c998dee827110c","exp":1700000000}' },
  { 'escapes', [[{"text":"one\ntwo\t\"three\" and caf\u00e9, 5 \u20ac","path":"C:\\folder\\file"}]] },
  { '4 records', page(4) },
  { '45 records', page(45) },
  { '300 numbers', '{"series":[' .. table.concat(numbers, ',') .. ']}' },
}

local function least(f, argument)
  local best = math.huge
  for _ = 1, 20 do
    local start, count, spent = clock(), 0, 0
    repeat
      for _ = 1, 20 do f(argument) end
      count = count + 20
      spent = clock() - start
    until spent > 0.02
    best = math.min(best, spent / count)
  end
  return best * 1e6
end

for _, entry in ipairs(documents) do
  local name, text = entry[1], entry[2]
  local value = json.decode(text)
  print(('%s\t%d\t%.2f\t%.2f'):format(name, #text, least(json.decode, text), least(json.encode, value)))
end
