-- Run by prepare.ts, for the code cache of threads.
local inbox = require 'inbox'
if _CONTEXT == 'worker' then
  inbox:receive():send{text = 'hello'}
  return
end
spawn_vm{module = '.', inherit_context = false}:send(inbox)
print(inbox:receive().text)
