/** For programs that look at a process from outside. */

/** All of a file, also of one that says that it has no size; needs `file`. */
export const SLURP = `\
  local as_path = require 'filesystem'.path.new
  local function slurp(path)
    local f = file.stream.new()
    f:open(as_path(path), {'read_only'})
    local text, b = '', byte_span.new(65536)
    while true do
      local ok, n = pcall(f.read_some, f, b)
      if not ok then break end
      text = text .. tostring(b:slice(1, n))
    end
    f:close()
    return text
  end
`;
