/** Programs whose results must not depend on the order of fibers, under many orders. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runLua, runProgram } from '../support/spec.ts';

const SEEDS = 100;

/** The program prints the same under every schedule. */
function everySchedule(name: string, source: string, expected: string): void {
  test(`${name} (under ${SEEDS} schedules)`, async () => {
    for (let schedule = 0; schedule < SEEDS; schedule++) {
      const { stdout, stderr, code } = await runLua(source, {
        schedule,
        suspendAll: schedule % 5 === 4,
      });
      assert.deepEqual(
        { stdout, stderr, code },
        { stdout: expected, stderr: '', code: 0 },
        `seed ${schedule}`,
      );
    }
  });
}

everySchedule(
  'a mutex excludes',
  `
  local m = require('mutex').new()
  local inside, fibers = 0, {}
  for i = 1, 8 do
    fibers[i] = spawn(function()
      for n = 1, 3 do
        m:lock()
        inside = inside + 1
        assert(inside == 1)
        this_fiber.yield()
        inside = inside - 1
        m:unlock()
      end
    end)
  end
  for _, f in ipairs(fibers) do f:join() end
  print('done', m:try_lock())
`,
  'done\ttrue\n',
);

everySchedule(
  'a bounded buffer over a mutex and two condition variables loses nothing',
  `
  local mutex, condition = require 'mutex', require 'condition_variable'
  local m, filled, emptied = mutex.new(), condition.new(), condition.new()
  local buffer, got, sum = {}, 0, 0
  local function put(v)
    m:lock()
    while #buffer == 2 do emptied:wait(m) end
    buffer[#buffer + 1] = v
    filled:notify_one()
    m:unlock()
  end
  local function take()
    m:lock()
    while #buffer == 0 do filled:wait(m) end
    local v = table.remove(buffer, 1)
    emptied:notify_one()
    m:unlock()
    return v
  end
  local all = {}
  for p = 1, 3 do all[#all + 1] = spawn(function() for i = 1, 5 do put(p * 100 + i) end end) end
  for c = 1, 3 do all[#all + 1] = spawn(function() for i = 1, 5 do local v = take() sum, got = sum + v, got + 1 end end) end
  for _, f in ipairs(all) do f:join() end
  print(got, sum, #buffer)
`,
  '15\t3045\t0\n',
);

everySchedule(
  'a channel keeps the order of each sender and delivers each value once',
  `
  local ch = require('channel').new(2)
  local senders, last, count = {}, {}, 0
  for s = 1, 3 do
    senders[s] = spawn(function() for i = 1, 6 do ch:send({ s, i }) end end)
  end
  spawn(function()
    for _, f in ipairs(senders) do f:join() end
    ch:close()
  end)
  for v in ch:values() do
    assert(v[2] == (last[v[1]] or 0) + 1)
    last[v[1]] = v[2]
    count = count + 1
  end
  print(count)
`,
  '18\n',
);

everySchedule(
  'interrupted receivers lose no value',
  `
  local ch = require('channel').new(1)
  local sum, receivers = 0, {}
  for i = 1, 4 do
    receivers[i] = spawn(function() while true do local v = ch:receive() sum = sum + v end end)
  end
  spawn(function() receivers[1]:interrupt() this_fiber.yield() receivers[2]:interrupt() end)
  for i = 1, 10 do ch:send(i) end
  while #ch > 0 do this_fiber.yield() end
  for i = 1, 4 do receivers[i]:interrupt() receivers[i]:join() end
  print(sum)
`,
  '55\n',
);

everySchedule(
  'a failing child ends its group, whatever the order',
  `
  local group = require 'fiber_group'
  local cleaned = 0
  print(pcall(group, function(g)
    for i = 1, 5 do
      g:spawn(function()
        scope_cleanup_push(function() this_fiber.yield() cleaned = cleaned + 1 end)
        for n = 1, 50 do this_fiber.yield() end
        error('late', 0)
      end)
    end
    g:spawn(function() this_fiber.yield() error('early', 0) end)
  end))
  print(cleaned <= 5)
`,
  'false\tearly\ntrue\n',
);

everySchedule(
  'timers fire in the order of their times, in no time',
  `
  local time = require 'time'
  local start = time.steady_clock.now()
  local fibers = {}
  for i = 5, 1, -1 do
    fibers[i] = spawn(function() time.sleep(i * 1000) print(i) end)
  end
  for i = 1, 5 do fibers[i]:join() end
  local took = time.steady_clock.now() - start
  print(took >= 5000 and took < 5001)
`,
  '1\n2\n3\n4\n5\ntrue\n',
);

test('--test-schedule: the same seed gives the same run, other seeds give others', async () => {
  const source = `
    for i = 1, 6 do spawn(function() print(i) this_fiber.yield() print(-i) end) end
    require('time').sleep(3600)
    print('an hour later')
  `;
  const run = (seed: string) => runProgram(source, { flags: ['--test-schedule', seed] });
  const [a, b, c] = await Promise.all([run('1'), run('1'), run('2')]);
  assert.equal(a.stdout, b.stdout);
  assert.notEqual(a.stdout, c.stdout);
  assert.match(a.stdout, /an hour later\n$/);
  assert.equal((await run('x')).code, 2);
});
