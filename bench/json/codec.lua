-- Decodes, or encodes, a document from standard input so many times: here with our module, in LuaJIT with
-- lua-cjson. `rounds` 0 is what reading it, and for `encode` decoding it once, costs.
--   codec.lua decode|encode ROUNDS
local json, mode, rounds, text
if _CONTEXT then -- Perilune
  json = require 'json'
  local system = require 'system'
  mode, rounds = system.arguments[3], tonumber(system.arguments[4])
  local data, buf = {}, byte_span.new(65536)
  local ok = true
  while ok do
    local n
    ok, n = pcall(system.in_.read_some, system.in_, buf)
    if ok then data[#data + 1] = tostring(buf:first(n)) end
  end
  text = table.concat(data)
else
  json = require 'cjson'
  mode, rounds = arg[1], tonumber(arg[2])
  text = io.read('*a')
end

local size = 0
if mode == 'decode' then
  for i = 1, rounds do size = #json.decode(text) end
else
  local value = json.decode(text)
  for i = 1, rounds do size = #json.encode(value) > 0 and 1 or 0 end
end
print(rounds == 0 or size > 0)
