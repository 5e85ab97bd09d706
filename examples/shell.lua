-- A small shell with job control.
--
--   perilune examples/shell.lua
--
--   $ cat words | sort -u > sorted &      pipes, < > >>, 'quotes' "and \"those\"", $NAME and $?, a; b
--   [1] 4711
--   $ sleep 100                           Ctrl-C ends it, Ctrl-Z stops it
--   ^Z[2]+ Stopped  sleep 100
--   $ jobs; bg 2; fg 1; cd /tmp; exit
--
-- Every process has a fiber that waits for what becomes of it, so the shell knows of the jobs in the background
-- while it reads the next line. The processes of a job are a process group; the one in the foreground has the
-- terminal, and with it Ctrl-C and Ctrl-Z.

local system = require 'system'
local stream = require 'stream'
local pipe = require 'pipe'
local file = require 'file'
local path = require('filesystem').path
local asio_error = require 'asio_error'
local generic_error = require 'generic_error'
local lock = require('mutex').new()
local changed = require('condition_variable').new()

local signal = system.signal
local is_interactive = system.in_:isatty()
local environment = system.environment

local terminal, own_mode -- for jobs to get into the foreground; settings while the shell reads
local directory -- a descriptor: processes start there, and files are opened relative to it
local jobs = {} -- by number
local status = 0

local function say(text) stream.write_all(system.out, text) end
local function complain(text) stream.write_all(system.err, 'shell: ' .. text .. '\n') end

-- ── what is typed ─────────────────────────────────────────────────────────────────────────────────

-- A line as words and operators: {'sort'}, {operator = '|'}. A word is a list of texts and {name =}s of
-- variables, which are looked up when the command runs.
local function split(line)
  local tokens, word = {}, nil
  local at = 1
  local function add(part, after)
    word = word or {}
    word[#word + 1] = part
    at = after
  end
  local function finish()
    tokens[#tokens + 1], word = word, nil
  end
  local function variable()
    local name = line:match('^%$([%a_][%w_]*)', at) or line:match('^%$(%?)', at)
    if name then add({name = name}, at + 1 + #name) else add('$', at + 1) end
  end
  while at <= #line do
    local c = line:sub(at, at)
    if c:find '%s' then
      finish()
      at = at + 1
    elseif c == '#' and not word then
      break
    elseif c:find '[|&;<>]' then
      finish()
      local operator = line:match('^>>', at) or c
      tokens[#tokens + 1] = {operator = operator}
      at = at + #operator
    elseif c == "'" then
      local text, after = line:match("^'([^']*)'()", at)
      if text == nil then return nil, "' without an end" end
      add(text, after)
    elseif c == '"' then
      add('', at + 1)
      while line:sub(at, at) ~= '"' do
        if at > #line then return nil, '" without an end' end
        local escaped = line:match('^\\(["\\$])', at)
        if escaped then add(escaped, at + 2)
        elseif line:sub(at, at) == '$' then variable()
        else add(line:sub(at, at), at + 1) end
      end
      at = at + 1
    elseif c == '\\' then
      add(line:sub(at + 1, at + 1), at + 2)
    elseif c == '$' then
      variable()
    else
      add(c, at + 1)
    end
  end
  finish()
  return tokens
end

local function expand(word)
  local text = ''
  for _, part in ipairs(word) do
    if type(part) == 'string' then text = text .. part
    elseif part.name == '?' then text = text .. status
    else text = text .. (environment[part.name] or '') end
  end
  return text
end

-- Tokens as a list of {commands…, in_background =}; a command is {words…, input =, output =, appends =}.
local function parse(tokens)
  local pipelines, pipeline, command = {}, {}, {}
  local function end_command()
    if #command == 0 then return false end
    pipeline[#pipeline + 1] = command
    command = {}
    return true
  end
  local i = 1
  while i <= #tokens do
    local operator = tokens[i].operator
    if operator == nil then
      command[#command + 1] = tokens[i]
    elseif operator == '<' or operator == '>' or operator == '>>' then
      i = i + 1
      local name = tokens[i]
      if name == nil or name.operator then return nil, operator .. ' needs a file' end
      if operator == '<' then command.input = name
      else command.output, command.appends = name, operator == '>>' end
    elseif not end_command() then
      return nil, 'nothing in front of ' .. operator
    elseif operator ~= '|' then
      pipeline.in_background = operator == '&'
      pipelines[#pipelines + 1] = pipeline
      pipeline = {}
    elseif i == #tokens then
      return nil, 'nothing behind |'
    end
    i = i + 1
  end
  if end_command() then pipelines[#pipelines + 1] = pipeline end
  return pipelines
end

-- ── jobs ──────────────────────────────────────────────────────────────────────────────────────────

local function state_of(job)
  local state = 'Done'
  for _, process in ipairs(job.processes) do
    if process.state == 'running' or process.state == 'continued' then return 'Running' end
    if process.state == 'stopped' then state = 'Stopped' end
  end
  return state
end

-- A fiber for each process.
local function watch(process)
  spawn(function()
    repeat
      local what, number = process.handle:wait_change()
      process.state, process.number = what, number
      changed:notify_all()
    until what == 'exited'
  end):detach()
end

local function add_job(job)
  local number = 1
  while jobs[number] do number = number + 1 end
  jobs[number], job.number = job, number
end

local function show(job)
  say(('[%d]  %-8s %s\n'):format(job.number, state_of(job), job.text))
end

-- The job has the terminal until it ends or stops.
local function run_in_foreground(job)
  lock:lock()
  while state_of(job) == 'Running' do changed:wait(lock) end
  lock:unlock()
  if is_interactive then
    system.in_:tcsetpgrp(system.getpgrp())
    job.mode = system.in_:terminal_mode()
    system.in_:set_terminal_mode(own_mode)
  end
  local last = job.processes[#job.processes]
  if state_of(job) == 'Stopped' then
    status = 128 + signal.SIGTSTP
    if not job.number then add_job(job) end
    say '\n'
    show(job)
    return
  end
  if job.number then jobs[job.number] = nil end
  status = job.failed or last.number
  if is_interactive and last and last.number == 128 + signal.SIGINT then say '\n' end
end

-- One that runs is left alone: a Ctrl-Z may be on its way to it, and SIGCONT would take that back.
local function continue(job)
  if state_of(job) ~= 'Stopped' then return end
  for _, process in ipairs(job.processes) do
    if process.state == 'stopped' then process.state = 'continued' end
  end
  system.kill(-job.group, signal.SIGCONT)
end

local function open(name, flags)
  local ok, fd = pcall(directory.openat, directory, path.new(name), flags, 438) -- rw-rw-rw-
  if not ok then error({what = name, why = fd}, 0) end
  return fd
end

-- Starts one command of a job, between two descriptors (or what the shell has itself).
local function start(job, command, input, output)
  local opened = {}
  local function redirect(name, flags)
    local fd = open(name, flags)
    opened[#opened + 1] = fd
    return fd
  end
  local ok, result = pcall(function()
    if command.input then input = redirect(command.input, {'read_only'}) end
    if command.output then
      output = redirect(command.output, {'write_only', 'create', command.appends and 'append' or 'truncate'})
    end
    return system.spawn{
      program = command[1],
      arguments = command,
      environment = environment,
      working_directory = directory,
      stdin = input or 'share',
      stdout = output or 'share',
      stderr = 'share',
      process_group = is_interactive and (job.group or 0) or nil,
      foreground = is_interactive and not job.in_background and terminal or nil,
    }
  end)
  for _, fd in ipairs(opened) do fd:close() end
  if ok then
    job.group = job.group or result.pid
    job.failed = nil
    job.processes[#job.processes + 1] = {handle = result, state = 'running'}
  elseif result.what then
    complain(result.what .. ': ' .. tostring(result.why))
    job.failed = 1
  elseif result == generic_error.ENOENT or result:togeneric() == generic_error.ENOENT then
    complain(command[1] .. ': command not found')
    job.failed = 127
  else
    complain(command[1] .. ': ' .. tostring(result))
    job.failed = 126
  end
end

local function run_job(pipeline, text)
  local job = {text = text, processes = {}, in_background = pipeline.in_background}
  local input
  for i, command in ipairs(pipeline) do
    local source, sink
    if i < #pipeline then
      source, sink = pipe.pair()
      source, sink = source:release(), sink:release()
    end
    start(job, command, input, sink)
    if input then input:close() end
    if sink then sink:close() end
    input = source
  end
  for _, process in ipairs(job.processes) do watch(process) end
  if #job.processes == 0 then
    status = job.failed
  elseif job.in_background then
    add_job(job)
    if is_interactive then say(('[%d] %d\n'):format(job.number, job.processes[#job.processes].handle.pid)) end
    status = 0
  else
    run_in_foreground(job)
  end
end

-- ── commands of the shell itself ──────────────────────────────────────────────────────────────────

local function find_job(argument)
  local number = tonumber((argument or ''):match '^%%?(%d+)$')
  if argument == nil then
    for n in pairs(jobs) do number = math.max(number or 0, n) end
  end
  if jobs[number] == nil then
    complain((argument or 'current') .. ': no such job')
    status = 1
  end
  return jobs[number]
end

local function leave()
  for _, job in pairs(jobs) do
    if job.group and is_interactive then
      pcall(system.kill, -job.group, signal.SIGHUP)
      pcall(system.kill, -job.group, signal.SIGCONT)
    end
  end
  system.exit(status, {force = 2})
end

local builtins = {
  cd = function(command)
    local ok, fd = pcall(open, command[2] or environment.HOME or '/', {'read_only', 'directory'})
    if not ok then
      complain('cd: ' .. fd.what .. ': ' .. tostring(fd.why))
      status = 1
      return
    end
    directory:close()
    directory = fd
    status = 0
  end,
  exit = function(command)
    status = tonumber(command[2]) or status
    leave()
  end,
  jobs = function()
    local numbers = {}
    for number in pairs(jobs) do numbers[#numbers + 1] = number end
    table.sort(numbers)
    for _, number in ipairs(numbers) do show(jobs[number]) end
    status = 0
  end,
  bg = function(command)
    local job = find_job(command[2])
    if job then
      continue(job)
      show(job)
      status = 0
    end
  end,
  fg = function(command)
    local job = find_job(command[2])
    if not job then return end
    if is_interactive then
      if job.mode then system.in_:set_terminal_mode(job.mode) end
      system.in_:tcsetpgrp(job.group)
    end
    say(job.text .. '\n')
    continue(job)
    run_in_foreground(job)
  end,
}

local function run_line(line)
  local tokens, problem = split(line)
  local pipelines
  if tokens then pipelines, problem = parse(tokens) end
  if not pipelines then
    complain(problem)
    status = 2
    return
  end
  for _, pipeline in ipairs(pipelines) do
    for _, command in ipairs(pipeline) do
      for i, word in ipairs(command) do command[i] = expand(word) end
      command.input = command.input and expand(command.input)
      command.output = command.output and expand(command.output)
    end
    local builtin = #pipeline == 1 and builtins[pipeline[1][1]]
    if builtin then builtin(pipeline[1]) else run_job(pipeline, line) end
  end
end

-- ── reading ───────────────────────────────────────────────────────────────────────────────────────

local here = file.stream.new()
here:open(path.new '.', {'read_only'})
directory = here:release()

if is_interactive then
  for _, name in ipairs{'SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'} do signal.ignore(signal[name]) end
  if system.getsid(0) ~= system.getpid() then system.setpgid(0, 0) end
  system.in_:tcsetpgrp(system.getpgrp())
  terminal, own_mode = system.in_:dup(), system.in_:terminal_mode()
end

local lines = stream.scanner.new{stream = system.in_}
while true do
  for number, job in pairs(jobs) do
    if state_of(job) == 'Done' then
      if is_interactive then show(job) end
      jobs[number] = nil
    end
  end
  if is_interactive then say '$ ' end
  local ok, line = pcall(lines.get_line, lines)
  if not ok then
    if line ~= asio_error.misc.eof then complain(tostring(line)) end
    break
  end
  run_line(tostring(line))
end
leave()
