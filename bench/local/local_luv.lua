-- The like of local.lua with lua-luv: stream N | pipe MEGABYTES.
local uv = require 'luv'
local what, count = arg[1], tonumber(arg[2])

local function open(fd)
  local handle = uv.new_pipe(false)
  handle:open(fd)
  return handle
end

if what == 'stream' then
  local fds = uv.socketpair('stream', nil, {nonblock = true}, {nonblock = true})
  local a, b = open(fds[1]), open(fds[2])
  local text = ('x'):rep(64)
  local done = 0
  b:read_start(function(_, bytes)
    if bytes then b:write(bytes) end
  end)
  a:read_start(function(_, bytes)
    done = done + 1
    if done < count then a:write(bytes)
    else
      a:close()
      b:close()
    end
  end)
  a:write(text)
else
  local fds = uv.pipe({nonblock = true}, {nonblock = true})
  local r, w = open(fds.read), open(fds.write)
  local block, left, got = ('x'):rep(65536), count * 16, 0
  local function more()
    left = left - 1
    if left >= 0 then w:write(block, more) end
  end
  more()
  r:read_start(function(_, bytes)
    got = got + #bytes
    if got == count * 1048576 then
      r:close()
      w:close()
    end
  end)
end
uv.run()
print(what, count)
