-- Runs many programs in one LuaJIT: reads "<length>\n<bytes>" from the file that is named, and writes the
-- same for what each printed. Each program gets globals of its own.
local input = assert(io.open(arg[1], "rb"))
local write = io.write
local tostring, select, setmetatable, setfenv, pairs, type = tostring, select, setmetatable, setfenv, pairs, type
local pcall, loadstring, concat = pcall, loadstring, table.concat
local real = _G
local hidden = { io = true, os = true, debug = true, package = true, require = true, module = true, arg = true, _G = true, jit = true }

local function globals()
  local env = {}
  for k, v in pairs(real) do
    if not hidden[k] then
      if type(v) == "table" then
        local copy = {}
        for name, f in pairs(v) do copy[name] = f end
        v = copy
      end
      env[k] = v
    end
  end
  env._G = env
  return env
end

local function run(text)
  local out, env = {}, globals()
  function env.print(...)
    local line = {}
    for i = 1, select("#", ...) do line[i] = tostring((select(i, ...))) end
    out[#out + 1] = concat(line, "\t") .. "\n"
  end
  local f, message = loadstring(text, "@main.lua")
  if f then
    setfenv(0, env)
    setfenv(f, env)
    local ok, e = pcall(f)
    setfenv(0, real)
    if not ok then message = type(e) == "string" and e or type(e) end
  end
  if message then out[#out + 1] = "error: " .. message .. "\n" end
  return concat(out)
end

while true do
  local size = input:read("*n")
  if not size then break end
  input:read(1)
  local out = run(size == 0 and "" or input:read(size))
  write(#out, "\n", out)
end
