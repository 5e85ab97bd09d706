-- An interpreter: a small language is compiled to arrays of instructions, which a loop with a stack,
-- registers and a table of handlers runs.
local source = [[
  set n 0  set sum 0
  label top
  get n push 3 mul push 7 add push 1009 mod set x
  get x push 500 lt jumpf big
  get sum get x add set sum jump next
  label big
  get sum get x push 2 div sub set sum
  label next
  get n push 1 add set n
  get n push 400000 lt jumpt top
  get sum halt
]]

local function assemble(text)
  local code, labels, fixes, slots, count = {}, {}, {}, {}, 0
  local words = {}
  for word in text:gmatch('%S+') do words[#words + 1] = word end
  local i = 1
  local function slot(name)
    if not slots[name] then
      count = count + 1
      slots[name] = count
    end
    return slots[name]
  end
  while i <= #words do
    local op = words[i]
    if op == 'label' then
      labels[words[i + 1]] = #code + 1
      i = i + 2
    elseif op == 'set' and tonumber(words[i + 2] or '') then
      code[#code + 1] = { op = 'push', arg = tonumber(words[i + 2]) }
      code[#code + 1] = { op = 'set', arg = slot(words[i + 1]) }
      i = i + 3
    elseif op == 'set' or op == 'get' then
      code[#code + 1] = { op = op, arg = slot(words[i + 1]) }
      i = i + 2
    elseif op == 'push' then
      code[#code + 1] = { op = op, arg = tonumber(words[i + 1]) }
      i = i + 2
    elseif op:sub(1, 4) == 'jump' then
      code[#code + 1] = { op = op }
      fixes[#code] = words[i + 1]
      i = i + 2
    else
      code[#code + 1] = { op = op }
      i = i + 1
    end
  end
  for at, label in pairs(fixes) do code[at].arg = labels[label] end
  return code
end

-- One loop with a chain of comparisons.
local function run_chain(code)
  local stack, top, regs, pc = {}, 0, {}, 1
  while true do
    local ins = code[pc]
    local op = ins.op
    pc = pc + 1
    if op == 'get' then
      top = top + 1
      stack[top] = regs[ins.arg]
    elseif op == 'set' then
      regs[ins.arg] = stack[top]
      top = top - 1
    elseif op == 'push' then
      top = top + 1
      stack[top] = ins.arg
    elseif op == 'add' then
      top = top - 1
      stack[top] = stack[top] + stack[top + 1]
    elseif op == 'sub' then
      top = top - 1
      stack[top] = stack[top] - stack[top + 1]
    elseif op == 'mul' then
      top = top - 1
      stack[top] = stack[top] * stack[top + 1]
    elseif op == 'div' then
      top = top - 1
      stack[top] = stack[top] / stack[top + 1]
    elseif op == 'mod' then
      top = top - 1
      stack[top] = stack[top] % stack[top + 1]
    elseif op == 'lt' then
      top = top - 1
      stack[top] = stack[top] < stack[top + 1]
    elseif op == 'jump' then
      pc = ins.arg
    elseif op == 'jumpf' then
      if not stack[top] then pc = ins.arg end
      top = top - 1
    elseif op == 'jumpt' then
      if stack[top] then pc = ins.arg end
      top = top - 1
    else
      return stack[top]
    end
  end
end

-- A handler for each operation.
local handlers = {}
function handlers.get(vm, arg) vm.top = vm.top + 1; vm.stack[vm.top] = vm.regs[arg] end
function handlers.set(vm, arg) vm.regs[arg] = vm.stack[vm.top]; vm.top = vm.top - 1 end
function handlers.push(vm, arg) vm.top = vm.top + 1; vm.stack[vm.top] = arg end
local function binary(name, f)
  handlers[name] = function(vm)
    local stack, top = vm.stack, vm.top - 1
    vm.top = top
    stack[top] = f(stack[top], stack[top + 1])
  end
end
binary('add', function(a, b) return a + b end)
binary('sub', function(a, b) return a - b end)
binary('mul', function(a, b) return a * b end)
binary('div', function(a, b) return a / b end)
binary('mod', function(a, b) return a % b end)
binary('lt', function(a, b) return a < b end)
function handlers.jump(vm, arg) vm.pc = arg end
function handlers.jumpf(vm, arg)
  if not vm.stack[vm.top] then vm.pc = arg end
  vm.top = vm.top - 1
end
function handlers.jumpt(vm, arg)
  if vm.stack[vm.top] then vm.pc = arg end
  vm.top = vm.top - 1
end
function handlers.halt(vm) vm.running = false end

local function run_handlers(code)
  local vm = { stack = {}, regs = {}, top = 0, pc = 1, running = true }
  while vm.running do
    local ins = code[vm.pc]
    vm.pc = vm.pc + 1
    handlers[ins.op](vm, ins.arg)
  end
  return vm.stack[vm.top]
end

local code = assemble(source)
for _ = 1, 2 do print(run_chain(code), run_handlers(code)) end
