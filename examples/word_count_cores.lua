-- Counts the words of a file with several processors: actors in threads take one block after the other.
--
--   perilune examples/word_count_cores.lua -- FILE [THREADS]      (4 unless given; 0: without any)
local inbox = require 'inbox'
local file = require 'file'
local path = require('filesystem').path

local BLOCK = 2^20

-- Bytes from `first` on, up to the one before `last`.
local function read(f, first, last)
  local b = byte_span.new(last - first)
  file.read_all_at(f, first, b)
  return tostring(b)
end

-- The words that begin in a block, with the rest of the last one.
local function words_of(f, first, last)
  local before = math.max(first - 1, 0)
  local text = read(f, before, last)
  local from = first == 0 and 1 or text:find('%s') or #text + 1
  while text:find('%S$') and last < f.size do
    local more = math.min(last + 256, f.size)
    local rest = read(f, last, more)
    text = text .. rest:match '^%S*'
    if rest:find '%s' then break end
    last = more
  end
  return text:sub(from)
end

local function count_block(f, first, counts)
  local last = math.min(first + BLOCK, f.size)
  for word in words_of(f, first, last):gmatch '%S+' do counts[word] = (counts[word] or 0) + 1 end
end

local function open(name)
  local f = file.random_access.new()
  f:open(path.new(name), {'read_only'})
  return f
end

if _CONTEXT == 'worker' then
  local start = inbox:receive()
  local f, counts = open(start.file), {}
  while true do
    local first = start.blocks:request 'next'
    if not first then break end
    count_block(f, first, counts)
  end
  start.blocks:send(counts)
  return
end

local name, threads = unpack(require('system').arguments, 3)
threads = tonumber(threads) or 4
local f = open(name)
local total = {}

if threads == 0 then
  for first = 0, f.size - 1, BLOCK do count_block(f, first, total) end
else
  for i = 1, threads do
    spawn_vm{module = '.', inherit_context = false}:send{file = name, blocks = inbox}
  end
  local first, done = 0, 0
  while done < threads do
    local m = inbox:receive()
    if m.reply then
      m.reply:send(first < f.size and first)
      first = first + BLOCK
    else
      for word, n in pairs(m) do total[word] = (total[word] or 0) + n end
      done = done + 1
    end
  end
end

local order, sum = {}, 0
for word, n in pairs(total) do
  order[#order + 1] = word
  sum = sum + n
end
table.sort(order, function(a, b)
  if total[a] ~= total[b] then return total[a] > total[b] end
  return a < b
end)
print(('%d words, %d different ones'):format(sum, #order))
for i = 1, math.min(10, #order) do print(total[order[i]], order[i]) end
