-- Counts lines, words and bytes of the standard input, and shows the words that it has most often.
--
--   perilune examples/word_count.lua < README.md
--
-- The scanner reads large pieces and gives one line at a time as a list of fields; fields are views of
-- its buffer, so a word is copied only where it becomes a string.

local stream = require 'stream'
local system = require 'system'
local asio_error = require 'asio_error'

local scanner = stream.scanner.with_awk_defaults(system.in_)
scanner.max_record_size = 2^30

local lines, words, bytes = 0, 0, 0
local count = {}

local ok, e = pcall(function()
  while true do
    local fields = scanner:get_line()
    bytes = bytes + #scanner:buffered_line() + #scanner.record_terminator
    lines = lines + #scanner.record_terminator -- a last line without an end is none, as for wc(1)
    words = words + #fields
    for i = 1, #fields do
      local word = tostring(fields[i])
      count[word] = (count[word] or 0) + 1
    end
  end
end)
if e ~= asio_error.misc.eof then error(e) end

print(('%d lines, %d words, %d bytes'):format(lines, words, bytes))

local order = {}
for word in pairs(count) do order[#order + 1] = word end
table.sort(order, function(a, b)
  if count[a] ~= count[b] then return count[a] > count[b] end
  return a < b
end)
for i = 1, math.min(10, #order) do print(count[order[i]], order[i]) end
