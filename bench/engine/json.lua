-- A JSON encoder and decoder written in Lua: nested tables to text and back.
local byte, char, sub, find, format, concat = string.byte, string.char, string.sub, string.find, string.format, table.concat

local escapes = { ['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n', ['\t'] = '\\t', ['\r'] = '\\r' }

local encode_value
local function encode_string(s)
  return '"' .. s:gsub('[%c"\\]', function(c) return escapes[c] or format('\\u%04x', byte(c)) end) .. '"'
end
local function encode_table(t, out)
  if #t > 0 then
    out[#out + 1] = '['
    for i = 1, #t do
      if i > 1 then out[#out + 1] = ',' end
      encode_value(t[i], out)
    end
    out[#out + 1] = ']'
  else
    local keys = {}
    for k in pairs(t) do keys[#keys + 1] = k end
    table.sort(keys)
    out[#out + 1] = '{'
    for i, k in ipairs(keys) do
      if i > 1 then out[#out + 1] = ',' end
      out[#out + 1] = encode_string(k)
      out[#out + 1] = ':'
      encode_value(t[k], out)
    end
    out[#out + 1] = '}'
  end
end
function encode_value(v, out)
  local kind = type(v)
  if kind == 'table' then
    encode_table(v, out)
  elseif kind == 'string' then
    out[#out + 1] = encode_string(v)
  elseif kind == 'number' then
    out[#out + 1] = v % 1 == 0 and format('%d', v) or format('%.6g', v)
  else
    out[#out + 1] = tostring(v)
  end
end
local function encode(v)
  local out = {}
  encode_value(v, out)
  return concat(out)
end

local unescape = { n = '\n', t = '\t', r = '\r', b = '\b', f = '\f' }
local decode_value
local function skip(text, at)
  local c = byte(text, at)
  while c == 32 or c == 10 or c == 9 or c == 13 do
    at = at + 1
    c = byte(text, at)
  end
  return at, c
end
local function decode_string(text, at)
  local start, parts = at + 1, nil
  at = start
  while true do
    local c = byte(text, at)
    if c == 34 then
      local piece = sub(text, start, at - 1)
      if parts then
        parts[#parts + 1] = piece
        piece = concat(parts)
      end
      return piece, at + 1
    elseif c == 92 then
      parts = parts or {}
      parts[#parts + 1] = sub(text, start, at - 1)
      local e = sub(text, at + 1, at + 1)
      if e == 'u' then
        parts[#parts + 1] = char(tonumber(sub(text, at + 2, at + 5), 16) % 256)
        at = at + 6
      else
        parts[#parts + 1] = unescape[e] or e
        at = at + 2
      end
      start = at
    else
      at = at + 1
    end
  end
end
function decode_value(text, at)
  local c
  at, c = skip(text, at)
  if c == 123 then
    local t = {}
    at, c = skip(text, at + 1)
    while c ~= 125 do
      local key
      key, at = decode_string(text, at)
      at = skip(text, at)
      t[key], at = decode_value(text, at + 1)
      at, c = skip(text, at)
      if c == 44 then at, c = skip(text, at + 1) end
    end
    return t, at + 1
  elseif c == 91 then
    local t, n = {}, 0
    at, c = skip(text, at + 1)
    while c ~= 93 do
      n = n + 1
      t[n], at = decode_value(text, at)
      at, c = skip(text, at)
      if c == 44 then at, c = skip(text, at + 1) end
    end
    return t, at + 1
  elseif c == 34 then
    return decode_string(text, at)
  elseif c == 116 then
    return true, at + 4
  elseif c == 102 then
    return false, at + 5
  elseif c == 110 then
    return nil, at + 4
  end
  local from, to = find(text, '^-?%d+%.?%d*[eE]?[+-]?%d*', at)
  return tonumber(sub(text, from, to)), to + 1
end

local records = {}
for i = 1, 300 do
  records[i] = {
    id = i, name = 'person "' .. i .. '"', active = i % 3 == 0, score = i * 1.25,
    tags = { 'a' .. i % 7, 'line\nbreak', 'c' }, place = { city = 'town ' .. i % 50, at = { i / 8, -i / 4 } },
  }
end
local text = encode(records)
local length = 0
for _ = 1, 120 do
  local again = encode((decode_value(text, 1)))
  length = length + #again
  if again ~= text then error('differs') end
end
print(length)
