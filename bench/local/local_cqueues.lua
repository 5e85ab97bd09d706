-- The like of local.lua with lua-cqueues: stream N | fds N.
local cqueues, socket = require 'cqueues', require 'cqueues.socket'
local what, count = arg[1], tonumber(arg[2])
local a, b = socket.pair()
local loop = cqueues.new()
local text = ('x'):rep(64)

if what == 'stream' then
  for _, s in ipairs {a, b} do
    s:setmode('bn', 'bn')
  end
  loop:wrap(function()
    for _ = 1, count do
      b:read(64)
      b:write(text)
    end
  end)
  loop:wrap(function()
    for _ = 1, count do
      a:write(text)
      a:read(64)
    end
  end)
else
  loop:wrap(function()
    for _ = 1, count do
      assert(a:sendfd('x', a))
      local _, got = b:recvfd()
      got:close()
    end
  end)
end
assert(loop:loop())
print(what, count)
