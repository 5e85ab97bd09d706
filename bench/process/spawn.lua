-- N programs, one after the other, each waited for.
local system = require 'system'
local path = require('filesystem').path
local count = tonumber(system.arguments[3])
local options = {
  program = path.new '/bin/true', arguments = {'true'}, stdin = 'share', stdout = 'share', stderr = 'share',
}
local ended = 0
for _ = 1, count do
  local p = system.spawn(options)
  p:wait()
  if p.exit_code == 0 then ended = ended + 1 end
end
print(ended)
