-- N programs, one after the other, with lua-luv.
local uv = require 'luv'
local count = tonumber(arg[1])
local ended = 0
local function next_one(started)
  if started == count then return end
  local handle
  handle = uv.spawn('/bin/true', {args = {}, env = {}, stdio = {0, 1, 2}}, function(code)
    if code == 0 then ended = ended + 1 end
    handle:close()
    next_one(started + 1)
  end)
end
next_one(0)
uv.run()
print(ended)
