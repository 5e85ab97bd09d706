-- Walks through a site and tells which of its pages are broken.
--
--   perilune examples/crawler.lua -- http://127.0.0.1:8080/ [WORKERS [HOME [SECONDS]]]
--
-- WORKERS actors (4) fetch pages, each in HOME: here, thread or process (here). They are written for a world in which
-- nothing goes wrong: what a page or a server does to one ends that one, with an error or by having taken SECONDS (10).
-- The first VM supervises them. It knows what each was at, starts another one, and gives out the same page again, up
-- to TRIES times. So a page that kills workers costs that page, and no loop can come of it: a worker is only
-- started when there is a page for it.

local inbox = require 'inbox'
local ip = require 'ip'
local stream = require 'stream'
local timeout = require 'timeout'
local eof = require('asio_error').misc.eof

local TRIES = 3
local MAX_PAGE = 2^20
local MAX_LINK = 200 -- what a message between processes has room for

-- Workers --------------------------------------------------------------------------------------------

local function fetch(host, path)
  local sock = ip.tcp.dial(host)
  stream.write_all(sock, ('GET %s HTTP/1.0\r\nHost: %s\r\n\r\n'):format(path, host))
  local parts, size, buffer = {}, 0, byte_span.new(65536)
  while true do
    local ok, n = pcall(sock.read_some, sock, buffer)
    if not ok and n == eof then break end
    if not ok then error(n) end
    size = size + n
    assert(size <= MAX_PAGE, 'a page without end')
    parts[#parts + 1] = tostring(buffer:first(n))
  end
  sock:close()
  local head, body = table.concat(parts):match '^(HTTP/1%.%d %d.-\r\n)\r\n(.*)$'
  assert(head, 'that is no HTTP')
  local length = head:lower():match '\ncontent%-length:%s*(%d+)'
  assert(not length or #body == tonumber(length), 'not all of it has come')
  return head, body
end

-- As paths of the same host; nil: it leads elsewhere.
local function resolve(link, base, host)
  link = link:gsub('#.*', ''):gsub('^http://' .. host:gsub('%p', '%%%0'), '')
  if link == '' or link:find '^%a+:' or link:find '^//' or link:find '[%s%c]' then return end
  if link:sub(1, 1) ~= '/' then link = base:match '^[^?]*/' .. link end
  local parts = {}
  for part in link:gmatch '[^/]+' do
    if part == '..' then table.remove(parts) elseif part ~= '.' then parts[#parts + 1] = part end
  end
  local is_folder = #parts > 0 and (link:find '/%.*$')
  local path = '/' .. table.concat(parts, '/') .. (is_folder and '/' or '')
  if #path <= MAX_LINK then return path end
end

local function work()
  local start = inbox:receive()
  while true do
    local ok, path = pcall(inbox.receive, inbox)
    if not ok then return end -- the supervisor has let go
    local head, body = timeout(start.seconds, function() return fetch(start.host, path) end)
    local links = {head:match '\n[Ll]ocation:%s*(%S+)'}
    for link in body:gmatch 'href="([^"]*)"' do links[#links + 1] = link end
    -- What is in messages must go into one between processes: it is flat, and short.
    for _, link in ipairs(links) do
      link = resolve(link, path, start.host)
      if link then start.to:send{worker = start.number, link = link} end
    end
    start.to:send{worker = start.number, status = tonumber(head:match '%d%d%d')}
  end
end

if _CONTEXT == 'worker' then return work() end

-- The supervisor -------------------------------------------------------------------------------------

local arguments = require('system').arguments
local host, first = (arguments[3] or ''):match '^http://([^/]+)(.*)$'
local count, home, seconds = tonumber(arguments[4] or 4), arguments[5] or 'here', tonumber(arguments[6] or 10)
if not host then
  print 'usage: crawler.lua -- URL [WORKERS [HOME [SECONDS]]]'
  return require('system').exit(2)
end
if not host:find ':%d+$' then host = host .. ':80' end
local HOMES = {here = {}, thread = {inherit_context = false}, process = {subprocess = {stderr = 'share'}}}

local pages = {} -- path → {tries =, status =}
local queue, open = {}, 0 -- paths that nobody is at; pages without a result
local workers = {} -- by number: {channel =, path =}
local lost = 0

local function add(path)
  if pages[path] then return end
  pages[path] = {tries = 0}
  open = open + 1
  queue[#queue + 1] = path
end

local function result(path, status)
  pages[path].status = status
  open = open - 1
end

local function start_worker(number)
  local channel = spawn_vm{
    module = '.', inherit_context = HOMES[home].inherit_context, subprocess = HOMES[home].subprocess,
  }
  channel:monitor()
  channel:send{to = inbox, number = number, host = host, seconds = seconds}
  workers[number] = {channel = channel}
  return workers[number]
end

local function hand_out()
  for number = 1, count do
    local worker = workers[number]
    if #queue == 0 then return end
    if not (worker and worker.path) then
      worker = worker or start_worker(number)
      worker.path = table.remove(queue, 1)
      -- Where it is gone already, the message that tells it is on its way.
      pcall(worker.channel.send, worker.channel, worker.path)
    end
  end
end

local function died(message)
  for number, worker in pairs(workers) do
    if worker.channel == message.channel then
      workers[number] = nil
      lost = lost + 1
      if not worker.path then return end
      local page = pages[worker.path]
      page.tries = page.tries + 1
      if page.tries < TRIES then queue[#queue + 1] = worker.path
      else result(worker.path, 'given up') end
      return
    end
  end
end

add(first == '' and '/' or first)
while open > 0 do
  hand_out()
  local message = inbox:receive()
  if message.down then died(message)
  elseif message.link then add(message.link)
  else
    local worker = workers[message.worker]
    result(worker.path, message.status)
    worker.path = nil
  end
end

local order, broken = {}, 0
for path in pairs(pages) do order[#order + 1] = path end
table.sort(order)
for _, path in ipairs(order) do
  local status = pages[path].status
  if status == 'given up' or status >= 400 then
    broken = broken + 1
    print(status, path)
  end
end
print(('%d pages, %d broken; %d workers lost'):format(#order, broken, lost))
for _, worker in pairs(workers) do worker.channel:close() end
