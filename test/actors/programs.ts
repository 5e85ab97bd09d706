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
