/** Lua in front of programs that work on the disk. The folder of the program is its own, and goes with it. */
export const ON_DISK = `
  local fs = require 'filesystem'
  local file, stream, time = require 'file', require 'stream', require 'time'
  local P = fs.path.new
  local dir = _FILE.parent_path
  fs.umask(tonumber('22', 8))
  local function write(p, text)
    local f = file.stream.new()
    f:open(p, {'write_only', 'create', 'truncate'})
    if text ~= '' then stream.write_all(f, text) end
    f:close()
    return p
  end
  local function read(p)
    local f = file.stream.new()
    f:open(p, {'read_only'})
    local n = f.size
    if n == 0 then f:close() return '' end
    local buf = byte_span.new(n)
    stream.read_all(f, buf)
    f:close()
    return tostring(buf)
  end
  local function short(p)
    if p == nil then return 'nil' end
    p = tostring(p)
    local root = tostring(dir)
    return p:sub(1, #root) == root and '~' .. p:sub(#root + 1) or p
  end
  -- What a call gives, or the error it raises: message, category, paths.
  local function try(f, ...)
    local r = {pcall(f, ...)}
    if r[1] then return r[2] end
    local e = r[2]
    if type(e) ~= 'table' then return e end
    return ('%s (%s) %s %s'):format(tostring(e), tostring(e.category), short(e.path1), short(e.path2))
      .. (e.arg and ' arg=' .. e.arg or '')
  end
  -- Make directories (names that end in /) and files, which have their names in them.
  local function make(...)
    for _, name in ipairs{...} do
      local p = dir / name
      if p.filename == '' then fs.create_directories(p)
      else fs.create_directories(p.parent_path) write(p, name) end
    end
  end
  -- What is below a directory, sorted: name/ of a directory, name=text of a file, name>target of a link.
  local function tree(of, show)
    local list = {}
    local root = #tostring(of) + 2
    for entry in fs.recursive_directory_iterator(of) do
      local p = entry.path
      local name = tostring(p):sub(root)
      local type = entry.symlink_status.type
      if type == 'directory' then name = name .. '/'
      elseif type == 'symlink' then name = name .. '>' .. tostring(fs.read_symlink(p))
      elseif type ~= 'regular' then name = name .. ' ' .. type
      elseif show ~= false then name = name .. '=' .. read(p) end
      list[#list + 1] = name
    end
    table.sort(list)
    return table.concat(list, ' ')
  end
`;
