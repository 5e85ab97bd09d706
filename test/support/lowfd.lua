-- Says which descriptors from 3 to 9 it was started with.
local system = require 'system'
for number = 3, 9 do
  local fd = system.get_lowfd(number)
  print(number, fd and getmetatable(fd), fd and fd.type)
end
print(system.get_lowfd(4), system.get_lowfd(2), system.environment.PERILUNE_LOWFDS)
local libraries = system.get_ld_library_directories()
print(#libraries > 0 and libraries[1].type == 'directory')
