-- Counts the records of standard input, and adds up their third fields.
--   separators.lua -- text|regex|awk
local regex = require 'regex'
local stream = require 'stream'
local system = require 'system'

local scanner
if system.arguments[3] == 'awk' then
  scanner = stream.scanner.with_awk_defaults(system.in_)
else
  scanner = stream.scanner.new {stream = system.in_}
  scanner.field_separator = system.arguments[3] == 'text' and ' '
    or regex.new {pattern = ' +host-| +', grammar = 'extended', nosubs = true}
end

local lines, sum = 0, 0
while true do
  local ok, fields = pcall(scanner.get_line, scanner)
  if not ok then break end -- the end of the input
  lines = lines + 1
  sum = sum + tonumber(tostring(fields[3]))
end
print(lines, string.format('%.0f', sum))
