/** VMs share nothing: one changes all that it can reach, and others look. */
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, spec } from '../support/spec.ts';
import { bundleThread } from '../support/threads.ts';

const hasThreads = nativeFailure() === undefined;
if (hasThreads) {
  await openReactor();
  await bundleThread();
  await runLua(`for i = 1, 4 do spawn_vm{module = './w', inherit_context = false} end`, {
    files: { 'w.lua': '' },
  });
}

/** `walk(visit)`: calls visit(path, table) for each table that Lua code can reach, in the same order in every VM. */
const WALK = `
  local MODULES = {
    'asio_error', 'barrier', 'byte_span', 'channel', 'condition_variable', 'fiber_group', 'file', 'file_descriptor',
    'filesystem', 'format', 'future', 'generic_error', 'ip', 'json', 'linux_capabilities', 'mutex', 'pipe', 'rate_limiter',
    'rdf_error_category', 'recursive_mutex', 'regex', 'select', 'semaphore', 'serial_port', 'stream', 'system', 'time',
    'timeout', 'tls', 'unix', 'wait_group', '/shared',
  }
  local next, type, tostring, pcall, ipairs = next, type, tostring, pcall, ipairs
  local getmetatable, getfenv, sort, rawget = getmetatable, getfenv, table.sort, rawget
  local loaded = {}
  for _, name in ipairs(MODULES) do
    local ok, module = pcall(require, name)
    if ok then loaded[name] = module end
  end
  local root = {
    G = _G, string = getmetatable(''), loaded = loaded, span = getmetatable(byte_span.new(1)), this_fiber = this_fiber,
    thread = coroutine.create(function() end), error = select(2, pcall(spawn_vm)),
    values = {loaded.json.null, loaded.filesystem.path.new('/x'), loaded.mutex.new(), loaded.time.steady_clock.now},
  }
  function walk(visit)
    local seen = {[root] = true, [walk] = true}
    local function go(path, value)
      if value == nil or seen[value] then return end
      local kind = type(value)
      if kind == 'table' then
        seen[value] = true
        local names = {}
        for key in next, value do if type(key) == 'string' then names[#names + 1] = key end end
        sort(names)
        for _, name in ipairs(names) do go(path .. '.' .. name, rawget(value, name)) end
        go(path .. ':meta', getmetatable(value))
        visit(path, value)
      elseif kind == 'function' or kind == 'userdata' or kind == 'thread' then
        seen[value] = true
        go(path .. ':meta', getmetatable(value))
        if kind ~= 'userdata' then
          local ok, env = pcall(getfenv, value)
          if ok then go(path .. ':env', env) end
        end
      end
    end
    for _, name in ipairs{'G', 'string', 'loaded', 'span', 'this_fiber', 'thread', 'error', 'values'} do
      go(name, root[name])
    end
  end
`;

const FILES = {
  'walk.lua': WALK,
  'shared.lua': 'list = {1, 2, 3} function get() return list end',
  /** What it sees, as one text. */
  'observer.lua': `
    local inbox = require 'inbox'
    local walk = require('/walk').walk
    local next, type, tostring, sort, concat = next, type, tostring, table.sort, table.concat
    local function look()
      local lines = {}
      walk(function(path, t)
        local all = {}
        for key, value in next, t do
          all[#all + 1] = tostring(key):gsub('0x%x+', '') .. '=' .. type(value) ..
            (type(value) == 'string' and #value < 30 and value or '')
        end
        sort(all)
        lines[#lines + 1] = path .. '{' .. concat(all, ',') .. '}'
      end)
      return concat(lines, '\\n'), #lines
    end
    while true do
      local ok, m = pcall(inbox.receive, inbox)
      if not ok then return end
      local text, count = look()
      m.reply:send{text = text, count = count}
      m = nil
    end
  `,
  /** Changes every field of every table, in place, and their metatables. */
  'vandal.lua': `
    local inbox = require 'inbox'
    local home = inbox:receive()
    local walk = require('/walk').walk
    local next, rawset, pcall, setmetatable, type = next, rawset, pcall, setmetatable, type
    local send = home.send
    local all = {}
    walk(function(path, t) all[#all + 1] = t end)
    local changed = 0
    for i = 1, #all do
      local t, keys = all[i], {}
      for key in next, t do keys[#keys + 1] = key end
      for k = 1, #keys do
        if not pcall(rawset, t, keys[k], 'broken') then pcall(function() t[keys[k]] = 'broken' end) end
      end
      if pcall(rawset, t, 'added', 'by the vandal') then changed = changed + 1 end
      pcall(setmetatable, t, {__index = function() return 'vandal' end})
    end
    send(home, changed)
  `,
} as const;

function isolated(home: string, options: string): void {
  spec(
    `a VM that changes all that it can reach changes nothing of others: ${home}`,
    `
    local inbox = require 'inbox'
    local mine = require '/shared'
    local function actor(id) return {module = id, ${options}} end
    local before = spawn_vm(actor './observer')
    local first = before:request 'look'
    print(first.count > 60, #first.text > 5000)
    local vandal = spawn_vm(actor './vandal')
    vandal:monitor()
    vandal:send(inbox)
    local changed = inbox:receive()
    print(changed >= first.count - 5 or changed .. ' of ' .. first.count)
    print(inbox:receive().reason)
    -- One that was there before, a new one, and this one, which is in the same thread or not.
    print(before:request('look').text == first.text)
    print(spawn_vm(actor './observer'):request('look').text == first.text)
    print(spawn_vm './observer':request('look').text == first.text)
    print(mine.get()[3], ('x'):upper(), #table.concat{'a', 'b'}, math.max(1, 2), require('json').decode '[1]'[1])
    print(rawget(_G, 'added'), string.added, getmetatable('').added)
`,
    'true\ttrue\ntrue\nnil\ntrue\ntrue\ntrue\n3\tX\t2\t2\t1\nnil\tnil\tnil\n',
    { once: true, files: FILES },
  );
}

isolated('in the thread', '');
if (hasThreads) isolated('in another thread', 'inherit_context = false');
