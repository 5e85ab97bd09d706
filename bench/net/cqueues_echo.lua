-- Echo server on 127.0.0.1 over cqueues; prints the port that it listens on.
local cqueues = require 'cqueues'
local socket = require 'cqueues.socket'

local server = socket.listen { host = '127.0.0.1', port = 0, nodelay = true }
server:listen()
local _, _, port = server:localname()
print(port)
io.stdout:flush()

local queue = cqueues.new()
queue:wrap(function()
  for client in server:clients() do
    client:setmode('bn', 'bf')
    client:setbufsiz(65536, 65536)
    client:onerror(function(_, _, code) return code end)
    queue:wrap(function()
      while true do
        local bytes = client:read(-65536)
        if not bytes or not client:write(bytes) or not client:flush() then break end
      end
      client:close()
    end)
  end
end)
assert(queue:loop())
