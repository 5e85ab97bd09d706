-- Counts the lines of standard input and adds up their third field.
local system = require 'system'
local stream = require 'stream'

local scanner = stream.scanner.new {
  stream = system.in_,
  record_separator = '\n',
  field_separator = ' ',
}

local lines, sum = 0, 0
while true do
  local ok, fields = pcall(scanner.get_line, scanner)
  if not ok then break end -- the end of the input
  lines = lines + 1
  sum = sum + tonumber(tostring(fields[3]))
end
print(lines, string.format('%.0f', sum))
