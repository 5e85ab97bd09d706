-- Reads what clients send and drops it, over libuv; prints the port that it listens on.
local uv = require 'luv'

local server = uv.new_tcp()
server:bind('127.0.0.1', 0)
server:listen(128, function(err)
  assert(not err, err)
  local client = uv.new_tcp()
  server:accept(client)
  client:read_start(function(failed, bytes)
    if failed or not bytes then client:close() end
  end)
end)
print(server:getsockname().port)
io.stdout:flush()
uv.run()
