import { spec } from '../support/spec.ts';

spec(
  'values arrive in order; a full channel makes the sender wait',
  `
  local ch = require('channel').new(2)
  spawn(function()
    for i = 1, 4 do ch:send(i) print('sent', i) end
    ch:close()
  end)
  this_fiber.yield()
  print('in it', #ch)
  for v in ch:values() do print('got', v) end
`,
  'sent\t1\nsent\t2\nin it\t2\ngot\t1\ngot\t2\ngot\t3\nsent\t3\nsent\t4\ngot\t4\n',
);

spec(
  'capacity 0 hands each value over',
  `
  local ch = require('channel').new()
  spawn(function() ch:send('x') print('taken') end)
  this_fiber.yield()
  print(ch:try_send('y'), ch:receive())
  this_fiber.yield()
  print(ch:try_receive())
`,
  'false\tx\ntaken\nfalse\n',
);

spec(
  'after close what is in it can be received, then channel_closed is raised',
  `
  local ch = require('channel').new(3)
  ch:send(1)
  ch:close()
  print(pcall(ch.send, ch, 2))
  print(ch:try_receive())
  print(pcall(ch.receive, ch))
  print(ch.closed, ch.capacity, getmetatable(ch))
`,
  'false\tChannel closed\ntrue\t1\nfalse\tChannel closed\ntrue\t3\tfiber_channel\n',
);

spec(
  'close fails those who wait',
  `
  local ch = require('channel').new()
  local a = spawn(function() print(pcall(ch.receive, ch)) end)
  this_fiber.yield()
  ch:close()
  a:join()
`,
  'false\tChannel closed\n',
);

spec(
  'an interrupted send withdraws its value; an interrupted receive takes none',
  `
  local ch = require('channel').new()
  local s = spawn(function() ch:send('withdrawn') end)
  this_fiber.yield()
  s:interrupt() s:join()
  print(ch:try_receive())
  local r = spawn(function() ch:receive() end)
  this_fiber.yield()
  r:interrupt() r:join()
  print(ch:try_send('nobody there'))
`,
  'false\nfalse\n',
);

spec(
  'a value that was handed over before the interruption is not lost',
  `
  local ch = require('channel').new()
  local r = spawn(function() print(ch:receive()) this_fiber.yield() print('never') end)
  this_fiber.yield()
  ch:send('kept')
  r:interrupt()
  r:join()
  print(r.interruption_caught)
`,
  'kept\ntrue\n',
);
