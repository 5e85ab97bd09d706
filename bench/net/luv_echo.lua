-- Echo server on 127.0.0.1 over libuv; prints the port that it listens on.
local uv = require 'luv'

local server = uv.new_tcp()
server:bind('127.0.0.1', 0)
server:listen(4096, function(err)
  assert(not err, err)
  local client = uv.new_tcp()
  server:accept(client)
  client:read_start(function(failed, bytes)
    if failed or not bytes then
      client:close()
    else
      client:write(bytes)
    end
  end)
end)
print(server:getsockname().port)
io.stdout:flush()
uv.run()
