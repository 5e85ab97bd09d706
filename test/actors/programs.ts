/** Actors that several tests talk to. */

/** Answers each `{from = …, value = …}` with the value. */
export const ECHO = `
local inbox = require 'inbox'
while true do
  local ok, m = pcall(inbox.receive, inbox)
  if not ok then return end
  m.from:send(m.value == nil and 'nothing' or m.value)
  m = nil
end
`;

/** Writes to a descriptor, which is the message or its field `fd`. */
export const WRITER = `
  local inbox, pipe, stream = require 'inbox', require 'pipe', require 'stream'
  local m = inbox:receive()
  local w = pipe.write_stream.new(type(m) == 'table' and m.fd or m)
  stream.write_all(w, 'from the worker')
  w:close()
`;

/** `endings(options)` prints how processes of `./w` end that get SIGTERM at once; one that loses it is killed in the end. */
export const EARLY_SIGNALS = `
  local inbox, time = require 'inbox', require 'time'
  local function endings(options)
    local told = {}
    for i = 1, 20 do
      local c = spawn_vm{module = './w', subprocess = options}
      c:monitor()
      c:kill(15)
      local late = spawn(function() time.sleep(20) c:kill() end)
      local reason = inbox:receive().reason
      late:interrupt()
      pcall(late.join, late)
      c:close()
      told[reason] = true
    end
    for reason in pairs(told) do print(reason) end
  end
`;
