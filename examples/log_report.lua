-- Reports on the log of a web server, in the manner of awk: each line is split into fields, and rules look at them.
--
--   perilune examples/log_report.lua -- [FILE...]        (the standard input without files)
--
-- The format is NCSA's, "combined" or "common":
--
--   127.0.0.1 - ann [25/Nov/2026:22:30:00 +0000] "GET /index.html HTTP/1.1" 200 5120 "-" "curl/8"
--
-- A field is what `field_pattern` matches: a text in quotes, one in brackets, or a word. In gawk that is FPAT.

local file = require 'file'
local fs = require 'filesystem'
local regex = require 'regex'
local stream = require 'stream'
local system = require 'system'
local eof = require('asio_error').misc.eof

local FIELD = regex.new {pattern = [=["([^"\\]|\\.)*"|\[[^\]]*\]|[^ ]+]=], grammar = 'ecma', nosubs = true}
local LONGEST_LINE = 2^20
local SHOWN = 10

-- ── what is counted ─────────────────────────────────────────────────────────────────────────────────

local lines, strange, bytes = 0, 0, 0
local by_status, by_hour, by_client, by_page, not_found = {}, {}, {}, {}, {}

local function count(list, key, n) list[key] = (list[key] or 0) + (n or 1) end

-- A rule is a pattern and an action, as in awk; all rules whose pattern holds act. `r` is the record.
local rules = {
  {function() return true end, function(r)
    count(by_status, r.status:sub(1, 1) .. 'xx')
    count(by_hour, r.hour)
    count(by_client, r.client)
    bytes = bytes + r.bytes
  end},
  {function(r) return r.status:sub(1, 1) == '2' end, function(r) count(by_page, r.page, r.bytes) end},
  {function(r) return r.status == '404' end, function(r) count(not_found, r.page) end},
}

-- Fields are views of the scanner's buffer: texts are made of those that are kept, and of no others.
local function record(fields)
  if #fields < 7 then return nil end
  local request = fields[5]
  local first = request:find ' '
  local second = first and request:find(' ', first + 1)
  local hour = fields[4]:sub(2, math.min(15, #fields[4]))
  local status = tostring(fields[6])
  if not second or #hour < 14 or not status:find '^%d%d%d$' then return nil end
  local query = request:find '?'
  return {
    client = tostring(fields[1]),
    hour = tostring(hour),
    page = tostring(request:sub(first + 1, (query and query < second and query or second) - 1)),
    status = status,
    bytes = tonumber(tostring(fields[7])) or 0, -- `-` is none
  }
end

local function read(source)
  local scanner = stream.scanner.new {
    stream = source, field_pattern = FIELD, max_record_size = LONGEST_LINE, buffer_size_hint = 65536,
  }
  local ok, e = pcall(function()
    while true do
      local fields = scanner:get_line()
      if #fields > 0 then
        lines = lines + 1
        local r = record(fields)
        if not r then strange = strange + 1
        else
          for _, rule in ipairs(rules) do
            if rule[1](r) then rule[2](r) end
          end
        end
      end
    end
  end)
  if e ~= eof then error(e, 0) end
end

-- ── BEGIN, the files, END ───────────────────────────────────────────────────────────────────────────

local failed = false

local function read_file(name)
  local f = file.stream.new()
  f:open(fs.path.new(name), {'read_only'})
  local ok, e = pcall(read, f)
  f:close()
  if not ok then error(e, 0) end
end

if not system.arguments[3] then read(system.in_) end
for i = 3, #system.arguments do
  local name = system.arguments[i]
  local ok, e = pcall(read_file, name)
  if not ok then
    failed = true
    stream.write_all(system.err, ('log_report: %s: %s\n'):format(name, tostring(e)))
  end
end

local function sorted(list, before)
  local keys = {}
  for key in pairs(list) do keys[#keys + 1] = key end
  table.sort(keys, before and function(a, b) return before(a, b) end)
  return keys
end

-- The largest first; equal ones by name.
local function largest(list)
  return sorted(list, function(a, b)
    if list[a] ~= list[b] then return list[a] > list[b] end
    return a < b
  end)
end

local function show(title, list, keys)
  if #keys == 0 then return end
  print()
  print(title)
  for i = 1, math.min(SHOWN, #keys) do print(format('{:>10} {}', list[keys[i]], keys[i])) end
  if #keys > SHOWN then print(format('{:>10} {} more', '', #keys - SHOWN)) end
end

print(format('{} requests, {} bytes, {} lines that are none', lines - strange, bytes, strange))
show('status', by_status, sorted(by_status))
show('clients by requests', by_client, largest(by_client))
show('pages by bytes', by_page, largest(by_page))
show('not found', not_found, largest(not_found))
show('busiest hours', by_hour, largest(by_hour))
system.exit(failed and 1 or 0)
