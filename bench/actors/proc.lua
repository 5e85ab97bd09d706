-- proc(5), for the programs beside it.
local file, fs = require 'file', require 'filesystem'

-- All of a file; '' where it can't be opened.
function read(path)
  local f = file.stream.new()
  if not pcall(f.open, f, fs.path.new(path), {'read_only'}) then return '' end
  local parts, b = {}, byte_span.new(65536)
  while true do
    local ok, count = pcall(f.read_some, f, b)
    if not ok then break end
    parts[#parts + 1] = tostring(b:slice(1, count))
  end
  f:close()
  return table.concat(parts)
end

-- The ids of a process's children, as texts.
function children(pid)
  local list = {}
  for child in read('/proc/' .. pid .. '/task/' .. pid .. '/children'):gmatch('%d+') do list[#list + 1] = child end
  return list
end
