-- Calls functions and methods of the modules for text, data, time and files, with values of all kinds. Each may refuse them;
-- none may end the process, or not come back once it is interrupted.
--   calls.lua -- SEED FILE      (FILE is written over)
local file, fs, json, regex, stream, system, time =
  require 'file', require 'filesystem', require 'json', require 'regex', require 'stream', require 'system', require 'time'
math.randomseed(tonumber(system.arguments[3]))
local path = system.arguments[4]
local CALLS = 1500

local function pick(list) return list[math.random(#list)] end

local function opened(kind)
  local f = file[kind].new()
  f:open(fs.path.new(path), {'create', 'read_write'})
  return f
end

local NUMBERS = {
  0, -0, 1, -1, 2, 3, 1.5, 8, 100, 4096, 65536, 2^31 - 1, 2^31, -2^31, 2^32, 2^53, 2^53 + 2, 2^63, -2^63, 1e308, 1 / 0, -1 / 0, 0 / 0,
}
local TEXTS = {
  '', 'a', '\0', ('x'):rep(1000), '[1,2]', '{"a":', '(', 'a|b*', 'ecma', 'set', 'cur', 'end', 'read_some', '{}', '{:>5}', '1', '-1', '\255', 'read_only',
}
local makers = {
  function() return nil end,
  function() return math.random(2) == 1 end,
  function() return pick(NUMBERS) end,
  function() return math.random(0, 8) end,
  function() return pick(TEXTS) end,
  function() return {} end,
  function() return {1, 2, 'x'} end,
  function() return {a = 1, indent = 2} end,
  function() return {'read_only'} end,
  function() return {'create', 'read_write'} end,
  function() return setmetatable({}, {__index = function(_, k) return k end, __tostring = function() return 1 end}) end,
  function() return setmetatable({}, {__tojson = function() end}) end,
  function() return json.into_array {1, {}} end,
  function() return {pattern = pick(TEXTS), grammar = pick {'ecma', 'basic', 'extended', 1}, nosubs = pick {true, false, 1}} end,
  function() return {stream = 'a b\nc', max_record_size = math.random(-2, 5), field_separator = pick {' ', 1, false, print}} end,
  function() return {state = {writer = json.writer.new()}} end,
  function()
    return {
      read_some = function() return math.random(-1, 3) end, write_some = function() return math.random(0, 3) end,
      read_some_at = function() return 0 / 0 end, write_some_at = function() return 'x' end,
    }
  end,
  function() return {read_some = 1} end,
  function() return {many = true, max_depth = 3, max_token = 2, max_size = 5} end,
  function() return print end,
  function() return coroutine.create(print) end,
  function() return byte_span.new(math.random(0, 9)) end,
  function() return byte_span.new(2, 6) end,
  function() return byte_span.append('[1,"a",{"b":2}]') end,
  function() return regex.new {pattern = 'a|b*', grammar = 'extended'} end,
  function() return regex.new {pattern = '(a)(?=b)\\1', grammar = 'ecma'} end,
  function() return json.null end,
  function() return json.writer.new() end,
  function() return json.reader.new('[1,{"a":2}]') end,
  function() return stream.scanner.new {stream = 'a\nb c'} end,
  function() return stream.scanner.with_awk_defaults() end,
  function() return time.steady_timer.new() end,
  function() return time.system_timer.new() end,
  function() return pick {time.steady_clock.now(), time.system_clock.epoch(), time.high_resolution_clock.now()} end,
  function() return pick {file.stream, file.random_access}.new() end,
  function() return opened(pick {'stream', 'random_access'}) end,
  function() return opened 'stream':release() end,
  function() return fs.path.new(path) end,
  function() return this_fiber end,
  function() return json.lexer_ecat end,
}
local function value() return pick(makers)() end
-- Numbers are what most arguments are.
local function argument() return math.random(5) < 3 and pick(NUMBERS) or value() end

local functions = {format}
local function collect(t)
  for _, v in pairs(t) do
    if type(v) == 'function' then functions[#functions + 1] = v elseif type(v) == 'table' then collect(v) end
  end
end
for _, module in ipairs {byte_span, file, json, regex, stream, time} do collect(module) end

local members = {}
for name in ([[
  append slice sub first last copy fill inplace_lower inplace_upper starts_with ends_with find rfind find_first_of find_last_of
  find_first_not_of find_last_not_of trimmed capacity get_u16be set_u16be get_f32le set_f64be get_i8 set_i8 get_u48le set_i40be
  value begin_object end_object begin_array end_array literal generate level next skip items path line column offset
  get_line buffered_line remove_line buffer set_buffer stream record_separator field_separator field_pattern trim_record
  record_number max_record_size wait cancel expires_at expires_after expiry add sub seconds_since_epoch
  open close assign release resize is_open size lock lock_shared try_lock try_lock_shared unlock seek
  read_some write_some read_some_at write_some_at mark_count grammar
]]):gmatch '%S+' do members[#members + 1] = name end

-- In a fiber, which is interrupted if it waits.
local function attempt(f, ...)
  local arguments, n = {...}, select('#', ...)
  local fiber = spawn(function() return pcall(f, unpack(arguments, 1, n)) end)
  this_fiber.yield()
  fiber:interrupt()
  pcall(fiber.join, fiber)
end

local operations = {
  function(o, m) o[m] = value() end, function(o) return #o end, function(o) return o == value() end, function(o) return o < value() end,
  function(o) return o + value() end, function(o) return o[value()] end, function(o) o[value()] = value() end,
  function(o) return tostring(o) end, function(o) return o .. value() end,
}

for i = 1, CALLS do
  if math.random(2) == 1 then
    attempt(pick(functions), argument(), argument(), argument(), argument())
  else
    local object = value()
    local name, ok, member
    for _ = 1, 20 do -- one that it has, if it has any
      name = pick(members)
      ok, member = pcall(function() return object[name] end)
      if ok and member ~= nil then break end
    end
    if ok and type(member) == 'function' then
      for _ = 1, 3 do attempt(member, object, argument(), argument(), argument()) end
    else
      for _, operation in ipairs(operations) do pcall(operation, object, name) end
    end
  end
end
print 'done'
system.exit(0)
