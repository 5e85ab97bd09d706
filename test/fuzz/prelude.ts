/**
 * V8's sine is not the C library's, in the last digits; and LuaJIT rounds halves up, where C rounds to even: so
 * numbers are printed with fewer digits, and a little off.
 *
 * What generated programs begin with: `show` writes a value exactly, whatever it is, without addresses and
 * without the order of `pairs`; `T` runs a function and writes what it returned or raised.
 */
export const PRELUDE = `local names = {}
local function quoted(s) return '"' .. s:gsub("[^ -~]", function(c) return "\\\\" .. c:byte() .. ";" end) .. '"' end
local function num(v) if v ~= v then return "nan" end if v == 0 then return 1 / v < 0 and "-0" or "0" end return string.format(v % 1 == 0 and "%.17g" or "%.13g", v % 1 == 0 and v or v + v * 2^-50) end
local show
local function content(t, depth)
  local parts = {}
  for k, v in next, t do parts[#parts + 1] = "[" .. show(k, depth + 1) .. "]=" .. show(v, depth + 1) end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end
function show(v, depth)
  depth = depth or 0
  local t = type(v)
  if t == "number" then return num(v) end
  if t == "string" then return quoted(v) end
  if names[v] then return names[v] end
  if t == "table" then return depth > 2 and "table" or content(v, depth) end
  if t == "function" or t == "thread" or t == "userdata" then return t end
  return tostring(v)
end
local function list(...)
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = show((select(i, ...))) end
  return table.concat(parts, ", ")
end
local function T(name, f, ...) print(name .. ": " .. list(pcall(f, ...))) end
`;
