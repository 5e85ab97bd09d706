-- Filters JSON lines in a pipeline: one JSON value a line comes in, and those for which all conditions hold go out.
--
--   perilune examples/jsonl_filter.lua -- [CONDITION...] [--pick FIELD,FIELD...] < in.jsonl > out.jsonl
--
--   level=error     equal (a number, true, false, null, or text)        level!=error   not equal
--   ms>100          also < >= <=: numbers with numbers, texts with texts
--   user.name~^a    a regular expression (ECMAScript's) matches somewhere in it
--   user.name       it is there
--
-- Paths lead through objects and, with numbers from 1 on, arrays: `items.1.price`. A line that is no JSON is told on
-- standard error with its place, and left out. The exit code is 1 if there was one, and 2 for wrong arguments.
--
-- Two fibers: one reads and decides, the other writes. What has been decided while a write was under way goes out in one
-- piece afterwards; and when nothing comes in, all that was decided is out: `tail -f log | …` shows each line at once.

local channel = require 'channel'
local json = require 'json'
local regex = require 'regex'
local stream = require 'stream'
local system = require 'system'
local asio_error = require 'asio_error'

local LONGEST_LINE = 2^24

local function usage(message)
  stream.write_all(system.err, 'jsonl_filter: ' .. message .. '\n')
  system.exit(2)
end

-- ── conditions ──────────────────────────────────────────────────────────────────────────────────────

local function steps(path)
  local list = {}
  for step in path:gmatch '[^.]+' do list[#list + 1] = step end
  return list
end

local function at(value, path)
  for i = 1, #path do
    if type(value) ~= 'table' then return nil end
    value = value[json.is_array(value) and tonumber(path[i]) or path[i]]
  end
  return value
end

-- What an argument means: JSON if it is, else a text.
local function literal(text)
  local ok, value = pcall(json.decode, text)
  return ok and type(value) ~= 'table' and value or text
end

local function comparable(a, b)
  return type(a) == type(b) and (type(a) == 'number' or type(a) == 'string')
end

local tests = {
  ['='] = function(a, b) return a == b end,
  ['!='] = function(a, b) return a ~= b end,
  ['<'] = function(a, b) return comparable(a, b) and a < b end,
  ['>'] = function(a, b) return comparable(a, b) and a > b end,
  ['<='] = function(a, b) return comparable(a, b) and a <= b end,
  ['>='] = function(a, b) return comparable(a, b) and a >= b end,
  ['~'] = function(a, re)
    if type(a) == 'number' then a = json.encode(a) end
    return type(a) == 'string' and not regex.search(re, a).empty
  end,
}

local function condition(text)
  local path, operator, right = text:match '^([^=!<>~]+)([=!<>~]=?)(.*)$'
  if not path then
    if text:find '^[=!<>~]' or text == '' then usage(("'%s' is no condition"):format(text)) end
    path = steps(text)
    return function(value) return at(value, path) ~= nil end
  end
  -- `a~=b` is `a ~ "=b"`.
  if not tests[operator] then operator, right = operator:sub(1, 1), operator:sub(2) .. right end
  local test = tests[operator] or usage(("'%s' is no condition"):format(text))
  if operator == '~' then
    local ok, re = pcall(regex.new, {pattern = right, grammar = 'ecma', nosubs = true})
    if not ok then usage(("'%s': %s"):format(right, tostring(re))) end
    right = re
  else
    right = literal(right)
  end
  path = steps(path)
  return function(value) return test(at(value, path), right) end
end

local conditions, picked = {}, nil
local i = 3
while system.arguments[i] do
  local argument = system.arguments[i]
  if argument == '--pick' then
    i = i + 1
    picked = {}
    for name in (system.arguments[i] or usage 'which fields?'):gmatch '[^,]+' do
      picked[#picked + 1] = {name = name, path = steps(name)}
    end
  else
    conditions[#conditions + 1] = condition(argument)
  end
  i = i + 1
end

local function wanted(value)
  for _, holds in ipairs(conditions) do
    if not holds(value) then return false end
  end
  return true
end

local function pick(value)
  local fields = {}
  for _, field in ipairs(picked) do fields[field.name] = at(value, field.path) end
  return json.encode(fields)
end

-- ── lines ───────────────────────────────────────────────────────────────────────────────────────────

local bad = false
local lines = channel.new(1024) -- a reader that is slower than we are makes us wait, too

local writer = spawn(function()
  scope_cleanup_push(function() lines:close() end) -- or `send` would wait for ever
  for line in lines:values() do
    local block = {line, '\n'}
    while #lines > 0 do
      block[#block + 1] = lines:receive()
      block[#block + 1] = '\n'
    end
    stream.write_all(system.out, table.concat(block))
  end
end)

local scanner = stream.scanner.new {stream = system.in_, trim_record = true, max_record_size = LONGEST_LINE}
local ok, e = pcall(function()
  while true do
    local line = tostring(scanner:get_line())
    if line ~= '' then
      local is_json, value = pcall(json.decode, line)
      if not is_json then
        bad = true
        local where = ('line %d, column %d'):format(scanner.record_number, value.column)
        stream.write_all(system.err, ('jsonl_filter: %s: %s\n'):format(where, tostring(value)))
      elseif wanted(value) then
        lines:send(picked and pick(value) or line)
      end
    end
  end
end)
lines:close()

local written, why = pcall(writer.join, writer)
-- Whoever reads has seen enough, as `head` does: that is no mistake.
if not written and why ~= asio_error.basic.broken_pipe then error(why, 0) end
if written and e ~= asio_error.misc.eof then error(e, 0) end
system.exit(bad and 1 or 0)
