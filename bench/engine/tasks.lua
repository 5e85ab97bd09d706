-- Simulation of an operating system: tasks of five classes that pass packets through queues, and a
-- scheduler that runs the most urgent one that is ready.
local Packet = {}
Packet.__index = Packet
function Packet.new(link, owner, kind)
  return setmetatable({ link = link, owner = owner, kind = kind, datum = 0, data = { 0, 0, 0, 0 } }, Packet)
end
function Packet:append_to(queue)
  self.link = nil
  if not queue then return self end
  local last = queue
  while last.link do last = last.link end
  last.link = self
  return queue
end

local IDLE, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B = 1, 2, 3, 4, 5, 6
local DEVICE, WORK = 1, 2

local Task = {}
Task.__index = Task
function Task.new(class, scheduler, id, priority, queue)
  local self = setmetatable({
    scheduler = scheduler, id = id, priority = priority, queue = queue,
    pending = queue ~= nil, waiting = false, holding = false, next = scheduler.list,
  }, class)
  scheduler.list = self
  scheduler.table[id] = self
  return self
end
function Task:ready() return not self.holding and (self.pending or not self.waiting) end
function Task:check_priority(task, packet)
  if not self.queue then
    self.queue = packet
    self.pending = true
    if self.priority > task.priority then return self end
  else
    self.queue = packet:append_to(self.queue)
  end
  return task
end
function Task:run_once()
  local packet
  if self.waiting and self.pending then
    packet = self.queue
    self.queue = packet.link
    self.waiting = false
    self.pending = self.queue ~= nil
  end
  return self:run(packet)
end

local function subclass(parent)
  local class = setmetatable({}, { __index = parent })
  class.__index = class
  return class
end

local Scheduler = {}
Scheduler.__index = Scheduler
function Scheduler.new()
  return setmetatable({ list = nil, current = nil, table = {}, queued = 0, held = 0 }, Scheduler)
end
function Scheduler:schedule()
  self.current = self.list
  while self.current do
    local task = self.current
    if task:ready() then
      self.current = task:run_once()
    else
      self.current = task.next
    end
  end
end
function Scheduler:wait(task)
  task.waiting = true
  return task
end
function Scheduler:hold(task)
  self.held = self.held + 1
  task.holding = true
  return task.next
end
function Scheduler:release(task, id)
  local other = self.table[id]
  other.holding = false
  if other.priority > task.priority then return other end
  return task
end
function Scheduler:send(task, packet)
  local receiver = self.table[packet.owner]
  self.queued = self.queued + 1
  packet.link = nil
  packet.owner = task.id
  return receiver:check_priority(task, packet)
end

local Idle = subclass(Task)
function Idle:run()
  self.count = self.count - 1
  if self.count == 0 then return self.scheduler:hold(self) end
  local control = self.control
  if control % 2 == 0 then
    self.control = control / 2
    return self.scheduler:release(self, DEVICE_A)
  end
  self.control = ((control - 1) / 2 + 53256) % 65536
  return self.scheduler:release(self, DEVICE_B)
end

local Worker = subclass(Task)
function Worker:run(packet)
  if not packet then return self.scheduler:wait(self) end
  self.to = self.to == HANDLER_A and HANDLER_B or HANDLER_A
  packet.owner = self.to
  packet.datum = 1
  local data = packet.data
  for i = 1, 4 do
    self.letter = self.letter % 26 + 1
    data[i] = self.letter
  end
  return self.scheduler:send(self, packet)
end

local Handler = subclass(Task)
function Handler:run(packet)
  if packet then
    if packet.kind == WORK then
      self.work = packet:append_to(self.work)
    else
      self.device = packet:append_to(self.device)
    end
  end
  local work = self.work
  if work then
    local count = work.datum
    if count > 4 then
      self.work = work.link
      return self.scheduler:send(self, work)
    end
    local device = self.device
    if device then
      self.device = device.link
      device.datum = work.data[count]
      work.datum = count + 1
      return self.scheduler:send(self, device)
    end
  end
  return self.scheduler:wait(self)
end

local Device = subclass(Task)
function Device:run(packet)
  if not packet then
    local held = self.held
    if not held then return self.scheduler:wait(self) end
    self.held = nil
    return self.scheduler:send(self, held)
  end
  self.held = packet
  return self.scheduler:hold(self)
end

local function simulate()
  local s = Scheduler.new()
  local idle = Idle:new(s, IDLE, 0, nil)
  idle.control, idle.count = 1, 10000
  local worker = Worker:new(s, WORKER, 1000, Packet.new(Packet.new(nil, WORKER, WORK), WORKER, WORK))
  worker.to, worker.letter, worker.waiting = HANDLER_A, 0, true
  for i, id in ipairs { HANDLER_A, HANDLER_B } do
    local device = id == HANDLER_A and DEVICE_A or DEVICE_B
    local queue
    for _ = 1, 3 do queue = Packet.new(queue, device, DEVICE) end
    local handler = Handler:new(s, id, 1000 + i * 1000, queue)
    handler.waiting = true
    Device:new(s, device, 3000 + i * 1000, nil).waiting = true
  end
  s:schedule()
  return s.queued, s.held
end

local queued, held = 0, 0
for _ = 1, 150 do
  local q, h = simulate()
  queued, held = queued + q, held + h
end
print(queued, held)
