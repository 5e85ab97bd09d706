/** `--trace-actors`: what is written, for actors in all three homes. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { inletsOf } from '../../src/actors/inlets.ts';
import { Leases, Mailbox } from '../../src/actors/mailbox.ts';
import { openReports, type Reports } from '../../src/actors/reports.ts';
import { startProcessTrace, startTrace, tracing } from '../../src/actors/trace.ts';
import { readTrace, type TraceEvent } from '../../src/actors/trace-file.ts';
import { IoGroup } from '../../src/io/group.ts';
import {
  closeAll,
  giveDescriptor,
  PacketReceiver,
  packetPair,
  takeDescriptor,
} from '../../src/io/packet.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { MSG_DONTWAIT } from '../../src/sys/socket.ts';
import { sendmsgUnix } from '../../src/sys/unix.ts';
import { openReactor } from '../support/faulty.ts';
import {
  type Outcome,
  openDescriptors,
  type RunOptions,
  runLua,
  runProgram,
} from '../support/spec.ts';
import { bundleThread } from '../support/threads.ts';
import { ECHO } from './programs.ts';

const hasAddon = nativeFailure() === undefined;
if (hasAddon) {
  await openReactor();
  await bundleThread();
}

interface Traced extends Outcome {
  readonly text: string;
  /** What the program itself has seen. */
  readonly events: readonly TraceEvent[];
  /** What processes said. */
  readonly claims: readonly TraceEvent[];
}

/** Run a program, traced. `TRACE` in it is the path of the trace. */
async function trace(source: string, options: RunOptions = {}): Promise<Traced> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-trace-'));
  const file = join(folder, 'trace');
  const tracer = startTrace(file, 'main.lua');
  try {
    const outcome = await runLua(source.replaceAll('TRACE', file), options);
    tracer.end(outcome.code);
    return { ...outcome, text: readFileSync(file, 'utf8'), ...eventsOf(file) };
  } finally {
    tracing.on = undefined;
    closeSync(tracer.share.fd);
    rmSync(folder, { recursive: true });
  }
}

function eventsOf(file: string): Pick<Traced, 'events' | 'claims'> {
  const events: TraceEvent[] = [];
  const claims: TraceEvent[] = [];
  const { isCut } = readTrace(file, (event) =>
    (event.said_by === undefined ? events : claims).push(event),
  );
  assert.equal(isCut, false);
  assertInOrder(events);
  return { events, claims };
}

/** All are written under one lock. */
function assertInOrder(events: readonly TraceEvent[]): void {
  events.forEach((event, i) => {
    assert.ok(i === 0 || event.t >= events[i - 1]!.t, `${event.t} is before ${events[i - 1]?.t}`);
  });
}

/** The events of an actor, a line each, without what varies. */
function shown(events: readonly TraceEvent[]): string[] {
  const names = new Map<number, string>();
  const numberOf = (id: number | undefined): string => {
    if (id === undefined) return '';
    if (!names.has(id)) names.set(id, `#${names.size + 1}`);
    return ` ${names.get(id)}`;
  };
  return events
    .filter(({ event }) => event !== 'start' && event !== 'end')
    .map((e) => {
      const { event, actor, from, to, by, message, reason, how, id, request, answers } = e;
      const who = [by, from, actor, to].filter((name) => name !== undefined).join(' ');
      return [
        event,
        who + numberOf(id),
        request === undefined ? '' : `request ${request}`,
        answers === undefined ? '' : `answers ${answers}`,
        how,
        message ?? reason?.replace(/^.*\//, ''),
      ]
        .filter((part) => part !== undefined && part !== '')
        .join(' | ');
    });
}

/** The same with the command itself. */
async function traceCommand(
  source: string,
  options: Parameters<typeof runProgram>[1] = {},
): Promise<Omit<Traced, 'text'> & { readonly signal: string | null }> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-trace-'));
  const file = join(folder, 'trace');
  try {
    const outcome = await runProgram(source, { ...options, flags: [`--trace-actors=${file}`] });
    return { ...outcome, ...eventsOf(file) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const HOMES = {
  'in the thread': '{module = id}',
  'in another thread': '{module = id, inherit_context = false}',
  'in a process': '{module = id, subprocess = {}}',
  'in a sandbox': "{module = id, subprocess = {sandbox = 'best_effort'}}",
} as const;
type Home = keyof typeof HOMES;

function inHome(name: string, run: (home: Home, prelude: string, t: TestContext) => Promise<void>) {
  for (const [home, options] of Object.entries(HOMES)) {
    if (home !== 'in the thread' && !hasAddon) continue;
    const prelude = `local function actor(id) return ${options} end\n`;
    test(`${name}: ${home}`, (t) => run(home as Home, prelude, t));
  }
}

const isProcess = (home: Home): boolean => home === 'in a process' || home === 'in a sandbox';

inHome('made, asked, answered, ended by an error, watched', async (home, prelude) => {
  const { events, stdout } = await trace(
    `${prelude}
    local inbox = require 'inbox'
    local w = spawn_vm(actor './words')
    w:monitor()
    print(w:request('one'))
    print((pcall(w.request, w, 'crash')))
    print(inbox:receive().down)
    w:close()
    `,
    {
      files: {
        'words.lua': `
        local inbox = require 'inbox'
        while true do
          local m = inbox:receive()
          if m.request == 'crash' then error('a bad text', 0) end
          m.reply:send(#m.request)
        end`,
      },
    },
  );
  assert.equal(stdout, '3\nfalse\ntrue\n');
  const all = shown(events);
  const start = [
    'spawn | main#1',
    'spawn | main#1 words#2',
    'monitor | main#1 words#2',
    'send | main#1 words#2 #1 | request 1 | {request = "one", reply = <main#1>}',
  ];
  const end = ['close | main#1 words#2', 'exit | main#1 | ended'];
  if (isProcess(home)) {
    const [death, ...others] = all.slice(6).filter((line) => !/^(unanswered|close)/.test(line));
    assert.deepEqual(all.slice(0, 4), start);
    assert.deepEqual(all.slice(4, 6), [
      'receive | words#2 main#1 | answers 1 | 3',
      'send | main#1 words#2 #2 | request 2 | {request = "crash", reply = <main#1>}',
    ]);
    assert.equal(death, 'exit | words#2 | error | exit status 1');
    assert.deepEqual(others, [
      'down | words#2 main#1 #3 | exit status 1',
      'receive | words#2 main#1 #3',
      'exit | main#1 | ended',
    ]);
    assert.ok(all.includes('unanswered | main#1 | request 2 | Channel closed'));
    return;
  }
  const middle = [
    'receive | main#1 words#2 #1',
    'send | words#2 main#1 #2 | answers 1 | 3',
    'receive | words#2 main#1 #2 | answers 1',
    'send | main#1 words#2 #3 | request 2 | {request = "crash", reply = <main#1>}',
    'receive | main#1 words#2 #3',
    'exit | words#2 | error | a bad text',
    'down | words#2 main#1 #4 | a bad text',
    'unanswered | main#1 | request 2 | Channel closed',
    'receive | words#2 main#1 #4',
  ];
  const sort = (lines: string[]): string[] => lines.sort();
  // What the second one says of its end and the first one of its question come in any order.
  assert.deepEqual(sort(all), sort([...start, ...middle, ...end]));
  const died = events.find((e) => e.event === 'exit' && e.actor === 'words#2')!;
  assert.match(String(died.vm), /^0x[0-9a-f]+$/);
});

inHome('who made whom, and where that is', async (home, prelude) => {
  const { events } = await trace(`${prelude} spawn_vm(actor './deep')`, {
    files: { 'deep/init.lua': '' },
  });
  const spawn = events.find(({ by }) => by !== undefined)!;
  assert.equal(spawn.actor, 'deep#2');
  assert.match(spawn.module!, /\/deep\/init\.lua$/);
  if (home === 'in the thread') assert.equal(spawn.home, 'same thread');
  else if (home === 'in another thread')
    assert.deepEqual([spawn.home, spawn.thread], ['thread', 1]);
  else {
    assert.equal(spawn.home, 'process');
    assert.ok(Number.isInteger(spawn.pid) && spawn.pid! > 1);
    assert.equal(spawn.sandbox, home === 'in a sandbox' ? 'best_effort' : undefined);
  }
});

test('messages between two other threads', { skip: !hasAddon }, async () => {
  const { events } = await trace(
    `
    local inbox = require 'inbox'
    local function thread(id) return spawn_vm{module = id, inherit_context = false} end
    local a, b = thread './a', thread './b'
    a:send{to = b, home = inbox}
    print(inbox:receive())
  `,
    {
      files: {
        'a.lua': `local m = require('inbox'):receive() m.to:send{text = 'from a', home = m.home}`,
        'b.lua': `local m = require('inbox'):receive() m.home:send('from b')`,
      },
    },
  );
  const sent = events.filter(({ event }) => event === 'send');
  assert.deepEqual(
    sent.map(({ from, to, message }) => [from, to, message]),
    [
      ['main#1', 'a#2', '{to = <b#3>, home = <main#1>}'],
      ['a#2', 'b#3', '{text = "from a", home = <main#1>}'],
      ['b#3', 'main#1', '"from b"'],
    ],
  );
  for (const { id, from, to } of sent) {
    const received = events.filter((e) => e.event === 'receive' && e.id === id);
    assert.deepEqual(
      received.map((e) => [e.from, e.actor]),
      [[from, to]],
    );
  }
});

test('messages are shown in one short line, whatever is in them', async () => {
  const { events, text } = await trace(
    `
    local inbox = require 'inbox'
    local c = spawn_vm './sink'
    for _, v in ipairs {
      'plain', 'line\\nend\\0\\27[31m', 'gr\\195\\188n \\226\\130\\172', '\\255\\254 bytes', '</text><script>',
      '\\226\\128\\174abc', '"q" \\\\', -0.5, 1/0, true,
      {1, 'two', {3}}, {a = {b = {c = {d = {}}}}}, {}, {['a b'] = 1, ['end'] = inbox, ch = c},
    } do c:send(v) end
    c:send(('x'):rep(1000000))
    c:send(('\\0'):rep(1000000))
    c:send(('\\226\\130\\172'):rep(1000))
    local many = {} for i = 1, 10000 do many[i] = i end
    c:send(many)
    local keys = {} for i = 1, 10000 do keys[('\\1'):rep(50) .. i] = i end
    c:send(keys)
    local deep = {} for i = 1, 900 do deep = {deep} end
    c:send(deep)
    c:close()
  `,
    { files: { 'sink.lua': `local i = require 'inbox' while pcall(i.receive, i) do end` } },
  );
  const sent = events.filter(({ event }) => event === 'send');
  assert.deepEqual(
    sent.slice(0, 14).map(({ message }) => message),
    [
      '"plain"',
      '"line\\nend\\x00\\x1b[31m"',
      '"grün €"',
      '"\\xff\\xfe bytes"',
      '"</text><script>"',
      '"\\u{202e}abc"',
      '"\\"q\\" \\\\"',
      '-0.5',
      'inf',
      'true',
      '{1, "two", {3}}',
      '{a = {b = {c = {…}}}}',
      '{}',
      sent[13]!.message,
    ],
  );
  assert.deepEqual(sent[13]!.message!.slice(1, -1).split(', ').sort(), [
    '["a b"] = 1',
    'ch = <sink#2>',
    'end = <main#1>',
  ]);
  assert.deepEqual(
    sent.slice(14).map(({ type, size }) => [type, size]),
    [
      ['string', 1_000_000],
      ['string', 1_000_000],
      ['string', 3000],
      ['table', 10_000],
      ['table', 10_000],
      ['table', 1],
    ],
  );
  assert.match(sent[16]!.message!, /^"€+"…$/);
  for (const line of text.split('\n')) assert.ok(Buffer.byteLength(line) < 2000, line);
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f\u202e]/);
});

test('descriptors in messages are named', { skip: !hasAddon }, async () => {
  const { events } = await trace(
    `
    local r, w = require('pipe').pair()
    local fd = w:release()
    spawn_vm('./sink'):send{fd = fd}
    spawn_vm{module = './sink', subprocess = {}}:send(fd)
    local inbox = require 'inbox'
    local back = spawn_vm{module = './back', subprocess = {}}
    back:send{fd = fd, to = inbox}
    spawn_vm('./sink'):send(inbox:receive())
    `,
    {
      files: {
        'sink.lua': `require('inbox'):receive()`,
        'back.lua': `local m = require('inbox'):receive() m.to:send(m.fd)`,
      },
    },
  );
  const sent = events.filter(({ event }) => event === 'send');
  assert.deepEqual(
    sent.map(({ message, type }) => [message, type]),
    [
      ['{fd = <file_descriptor>}', 'table'],
      ['<file_descriptor>', 'file_descriptor'],
      [sent[2]!.message, 'table'],
      ['<file_descriptor>', 'file_descriptor'],
    ],
  );
  assert.match(sent[2]!.message!, /fd = <file_descriptor>/);
});

test('a channel to a process that has been sent to another thread', {
  skip: !hasAddon,
}, async () => {
  const { events } = await trace(
    `
    local p = spawn_vm{module = './echo', subprocess = {}}
    local t = spawn_vm{module = './asks', inherit_context = false}
    print(t:request(p))
    `,
    {
      files: {
        'echo.lua': ECHO,
        'asks.lua': `
          local inbox = require 'inbox'
          local m = inbox:receive()
          m.request:send{from = inbox, value = 'x'}
          m.reply:send(inbox:receive())`,
      },
    },
  );
  const lines = shown(events).filter((line) => /asks#3 echo#2|echo#2 asks#3/.test(line));
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0]!, /^send \| asks#3 echo#2 #\d \| \{.*from = <asks#3>/);
  assert.equal(lines[1], 'receive | echo#2 asks#3 | "x"');
});

test('a full inbox, a sender that gives up, messages that never arrive', async () => {
  const { events } = await trace(
    `
    local inbox = require 'inbox'
    local c = spawn_vm './busy'
    inbox:receive()
    c:send(1)
    c:send(2)
    local f = spawn(function() c:send(3) end)
    this_fiber.yield()
    f:interrupt()
    pcall(f.join, f)
    c:send(4)
  `.replace('inbox:receive()', 'c:send(inbox) inbox:receive()'),
    {
      files: {
        'busy.lua': `
        local inbox = require 'inbox'
        local home = inbox:receive()
        inbox.high_water = 2
        home:send('ready')
        for i = 1, 10 do this_fiber.yield() end
        spawn(function() inbox:close() end)
      `,
      },
    },
  );
  const lines = shown(events).filter((line) => /busy#2/.test(line) && !/^(spawn|exit)/.test(line));
  assert.deepEqual(lines, [
    'send | main#1 busy#2 #1 | <main#1>',
    'receive | main#1 busy#2 #1',
    'send | busy#2 main#1 #2 | "ready"',
    'receive | busy#2 main#1 #2',
    'send | main#1 busy#2 #3 | 1',
    'send | main#1 busy#2 #4 | 2',
    'send | main#1 busy#2 #5 | 3',
    'wait | main#1 busy#2 #5',
    'drop | main#1 busy#2 #5 | its sender waits no longer',
    'send | main#1 busy#2 #6 | 4',
    'wait | main#1 busy#2 #6',
    'close | busy#2',
    'drop | main#1 busy#2 #6 | the receiver is closed',
    'drop | main#1 busy#2 #3 | the receiver is closed',
    'drop | main#1 busy#2 #4 | the receiver is closed',
  ]);
});

inHome('the last sender is gone', async (home, prelude) => {
  const { events } = await trace(`${prelude} local c = spawn_vm(actor './w') c:send(1) c:close()`, {
    files: { 'w.lua': `local i = require 'inbox' i:receive() pcall(i.receive, i)` },
  });
  const lines = shown(events).filter((line) => /^(no_senders|exit \| w)/.test(line));
  if (isProcess(home)) return; // it ends with the program
  assert.deepEqual(lines, ['no_senders | w#2', 'exit | w#2 | ended']);
});

inHome('ended by system.exit, by a deadlock', async (home, prelude) => {
  const { events } = await trace(
    `${prelude}
    local inbox = require 'inbox'
    local quits = spawn_vm(actor './quits')
    quits:monitor()
    inbox:receive()
    if not ('${home}'):find('process') and not ('${home}'):find('sandbox') then
      local stuck = spawn_vm(actor './stuck')
      stuck:monitor()
      print(inbox:receive())
    end
  `,
    {
      files: {
        'quits.lua': `require('system').exit(3)`,
        'stuck.lua': `local f f = spawn(function() this_fiber.yield() f:join() end)
          local m = require('mutex').new() m:lock() m:lock()`,
      },
    },
  );
  const exits = events.filter(({ event }) => event === 'exit');
  const of = (name: string) =>
    exits.filter(({ actor }) => actor === name).map((e) => [e.how, e.code]);
  assert.deepEqual(of('quits#2'), [[isProcess(home) ? 'error' : 'exit', 3]]);
  if (!isProcess(home)) assert.deepEqual(of('stuck#3'), [['deadlock', 0]]);
});

test('processes: killed, detached, ended with their maker', { skip: !hasAddon }, async () => {
  const { events } = await trace(
    `
    local inbox = require 'inbox'
    local a, b = spawn_vm{module = './w', subprocess = {}}, spawn_vm{module = './w', subprocess = {}}
    a:monitor()
    a:kill(15)
    inbox:receive()
    b:kill()
    local c = spawn_vm{module = './w', subprocess = {}}
    c:detach()
    local d = spawn_vm{module = './w', subprocess = {}}
    c:send 'end'
    d:close()
  `,
    { files: { 'w.lua': `require('inbox'):receive()` } },
  );
  const lines = shown(events).filter((line) => !/main#1 w#4|^(spawn|receive|send)/.test(line));
  assert.deepEqual(lines.slice(0, 4), [
    'monitor | main#1 w#2',
    'kill | main#1 w#2',
    'exit | w#2 | killed | killed by SIGTERM',
    'down | w#2 main#1 #1 | killed by SIGTERM',
  ]);
  assert.ok(lines.includes('exit | w#5 | killed | its maker has ended'), lines.join('\n'));
  assert.equal(lines.filter((line) => line.startsWith('exit | w#5')).length, 1);
  assert.ok(shown(events).includes('detach | main#1 w#4'));
  assert.deepEqual(
    events.filter(({ event }) => event === 'kill').map(({ signal }) => signal),
    ['SIGTERM', 'SIGKILL'],
  );
});

test('what is no message is told, and by whose address it came', { skip: !hasAddon }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-trace-'));
  const file = join(folder, 'trace');
  const tracer = startTrace(file, 'main.lua');
  try {
    const mailbox = new Mailbox({ leases: new Leases(), io: new IoGroup() });
    tracer.livesHere(tracer.newActor('main.lua'), mailbox);
    const { sender, receiver } = packetPair();
    const inlets = inletsOf(mailbox);
    inlets.add(receiver).traceAs(tracer.newActor('p.lua'), 0);
    writeSync(sender, 'no message');
    assert.equal(inlets.next(), undefined);
    assert.equal(inlets.isOpen, false);
    closeAll([sender]);
    tracer.end(0);
    assert.deepEqual(shown(eventsOf(file).events), ['malformed | p#2 main#1']);
  } finally {
    tracing.on = undefined;
    closeSync(tracer.share.fd);
    rmSync(folder, { recursive: true });
  }
});

inHome('nobody but the program has the trace open', async (_home, prelude, t) => {
  if (!hasAddon) return t.skip('the addon is not there');
  const { stdout } = await trace(
    `${prelude}
    local fs = require 'filesystem'
    local c = spawn_vm(actor './echo')
    print(c:request(1) == 1)
    local holders = 0
    for entry in fs.directory_iterator(fs.path.new('/proc')) do
      local pid = tostring(entry.path):match('%d+$')
      pcall(function()
        local found = false
        for fd in fs.directory_iterator(fs.path.new('/proc/' .. (pid or 'none') .. '/fd')) do
          local ok, to = pcall(fs.read_symlink, fd.path)
          if ok and tostring(to) == 'TRACE' then found = true end
        end
        if found then holders = holders + 1 end
      end)
    end
    print(holders)
  `,
    {
      files: {
        'echo.lua': `local m = require('inbox'):receive() m.reply:send(m.request) require('inbox'):receive()`,
      },
    },
  );
  assert.equal(stdout, 'true\n1\n');
});

test('a thread that is out of memory', { skip: !hasAddon }, async () => {
  const { events, code } = await traceCommand(
    `
    local inbox = require 'inbox'
    local c = spawn_vm{module = './hog', inherit_context = false}
    c:monitor()
    inbox:receive()
  `,
    {
      files: { 'hog.lua': `local t = {} while true do t[#t + 1] = {#t} end` },
      env: { NODE_OPTIONS: '--max-old-space-size=60' },
    },
  );
  const died = events.filter(({ event, actor }) => event === 'exit' && actor === 'hog#2');
  assert.deepEqual(
    died.map(({ how, reason }) => [how, reason]),
    [['lost', 'out of memory']],
  );
  assert.equal(code, 0);
});

test('many messages: each is there once, whichever thread wrote it', {
  skip: !hasAddon,
}, async () => {
  const { events } = await trace(
    `
    local inbox = require 'inbox'
    local echoes = {}
    for i = 1, 4 do echoes[i] = spawn_vm{module = './echo', inherit_context = i % 2 == 0} end
    for n = 1, 300 do
      for _, c in ipairs(echoes) do c:send{from = inbox, value = n} end
      for _ = 1, 4 do inbox:receive() end
    end
  `,
    { files: { 'echo.lua': ECHO } },
  );
  const ids = (event: string): number[] =>
    events.filter((e) => e.event === event && e.id !== undefined).map(({ id }) => id!);
  assert.equal(ids('send').length, 2400);
  assert.equal(new Set(ids('send')).size, 2400);
  assert.deepEqual(
    ids('receive').sort((a, b) => a - b),
    ids('send').sort((a, b) => a - b),
  );
});

// ── what processes say ─────────────────────────────────────────────────────────────────────────────

const PROCESSES = {
  'a process': 'subprocess = {}',
  'a sandbox': "subprocess = {sandbox = 'best_effort'}",
} as const;

for (const [name, options] of Object.entries(PROCESSES)) {
  test(`actors within ${name} say what they do`, { skip: !hasAddon }, async () => {
    const { claims, events } = await trace(
      `
      local w = spawn_vm{module = './outer', ${options}, }
      w:monitor()
      print(w:request('x'))
      require('inbox'):receive()
    `
        .replace('subprocess = {', 'subprocess = {source_tree_cache = {inner = [=[INNER]=]}, ')
        .replace(
          'INNER',
          `local m = require('inbox'):receive() m.reply:send(m.request .. '!') error('inner is done', 0)`,
        ),
      {
        files: {
          'outer.lua': `
          local m = require('inbox'):receive()
          m.reply:send(spawn_vm('../inner'):request(m.request))`,
          'inner.lua': '',
        },
      },
    );
    assert.deepEqual(
      shown(claims).sort(),
      [
        'exit | outer#2 | ended',
        'exit | outer#2/inner#2 | error | inner is done',
        'receive | ? outer#2 | {request = "x", reply = <ipc_actor_channel>}',
        'receive | outer#2 outer#2/inner#2 #1',
        'receive | outer#2/inner#2 outer#2 #2 | answers 1',
        'send | outer#2 main#1 #3 | answers 1 | "x!"',
        'send | outer#2 outer#2/inner#2 #1 | request 1 | {request = "x", reply = <outer#2>}',
        'send | outer#2/inner#2 outer#2 #2 | answers 1 | "x!"',
        'spawn | outer#2 outer#2/inner#2 | ',
      ]
        .map((line) => line.replace(/ \| $/, ''))
        .sort(),
    );
    for (const { said_by } of claims) assert.equal(said_by, 'outer#2');
    // The same sockets on both sides.
    const via = (list: readonly TraceEvent[], event: string): unknown[] =>
      list.filter((e) => e.event === event && e.via !== undefined).map((e) => e.via);
    assert.deepEqual(via(claims, 'receive'), via(events, 'send'));
    assert.deepEqual(via(claims, 'send'), via(events, 'receive'));
  });
}

test('messages between two processes, and processes of processes', {
  skip: !hasAddon,
}, async () => {
  const { claims } = await trace(
    `
    local inbox = require 'inbox'
    local a = spawn_vm{module = './a', subprocess = {}}
    local b = spawn_vm{module = './b', subprocess = {}}
    a:monitor()
    b:monitor()
    a:send{to = b, home = inbox}
    for i = 1, 4 do inbox:receive() end
  `,
    {
      files: {
        'a.lua': `local m = require('inbox'):receive() m.to:send{text = 'from a', home = m.home}`,
        'b.lua': `
          local inbox = require 'inbox'
          local m = inbox:receive()
          local c = spawn_vm{module = '../c', subprocess = {}}
          c:monitor()
          c:send(inbox)
          m.home:send(inbox:receive())
          m.home:send('b is done')
          inbox:receive()`,
        'c.lua': `require('inbox'):receive():send('from c')`,
      },
    },
  );
  const direct = claims.find(({ event, from }) => event === 'send' && from === 'a#2')!;
  assert.deepEqual([direct.to, direct.said_by], ['b#3', 'a#2']);
  const arrived = claims.find(({ event, via }) => event === 'receive' && via === direct.via)!;
  assert.deepEqual([arrived.actor, arrived.said_by], ['b#3', 'b#3']);
  const ofC = claims.filter(({ said_by }) => said_by === 'b#3/c#2');
  assert.deepEqual(
    ofC.map(({ event }) => event),
    ['receive', 'send', 'exit'],
  );
});

/** What becomes of packets of a process that is called `p#2`. */
function claim(
  packets: readonly (string | Buffer)[],
  use?: (reports: Reports, fd: number) => void,
): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-trace-'));
  const file = join(folder, 'trace');
  const tracer = startTrace(file, 'main.lua');
  const before = openDescriptors();
  try {
    tracer.newActor('main.lua');
    const inbox = packetPair();
    const reports = openReports(tracer, tracer.newActor('p.lua'), inbox.sender)!;
    const fd = takeDescriptor(inbox.receiver)!;
    reports.begin();
    for (const packet of packets) {
      try {
        writeSync(fd, Buffer.from(packet));
      } catch {
        break; // it is closed
      }
    }
    use?.(reports, fd);
    reports.finish();
    closeAll([fd, inbox.sender, inbox.receiver]);
    assert.deepEqual(openDescriptors(), before);
    tracer.end(0);
    const lines = readFileSync(file, 'utf8').split('\n');
    assert.equal(lines.pop(), '');
    for (const line of lines) JSON.parse(line);
    readTrace(file, () => {});
    return lines.slice(1, -1).map((line) => line.replace(/^\{"t":[\d.]+,/, '{'));
  } finally {
    tracing.on = undefined;
    closeSync(tracer.share.fd);
    rmSync(folder, { recursive: true });
  }
}

const SENT = {
  t: 0,
  event: 'send',
  from: 'p#2',
  to: '?',
  id: 1,
  message: '"hello"',
  type: 'string',
};

test('a process may say nothing but what a tracer says, and nothing of others', {
  skip: !hasAddon,
}, () => {
  assert.deepEqual(claim([`${JSON.stringify(SENT)}\n`]), [
    '{"event":"send","from":"p#2","to":"?","id":1,"type":"string","message":"\\"hello\\"","said_by":"p#2"}',
  ]);
  for (const change of [
    { from: 'main#1' },
    { from: 'p#22' },
    { from: 'p#2/' },
    { from: 'p#2/x' },
    { from: 'p#2/x#1\n' },
    { from: `p#2${'/x#1'.repeat(100)}` },
    { to: 'main#1' },
    { said_by: 'main#1' },
    { said_by: '' },
    { event: 'start' },
    { event: 'end' },
    { event: '__proto__' },
    { event: {} },
    { event: 'exit' },
    { event: 'spawn' },
    { from: undefined },
    { event: 'send","x":"' },
    { t: '0' },
    { id: -1 },
    { id: 1e300 },
    { id: '1' },
    { type: 'a"b' },
    { type: 'x'.repeat(41) },
    { assumed: 1 },
    { message: 7 },
    { reason: null },
  ]) {
    assert.deepEqual(
      claim([`${JSON.stringify({ ...SENT, ...change })}\n`]),
      [],
      JSON.stringify(change),
    );
  }
  for (const line of [
    '{',
    '[]',
    'null',
    '"x"',
    '7',
    '',
    '['.repeat(4000),
    '\0',
    `{"t":0,"event":"e${'x'.repeat(3000)}`,
  ])
    assert.deepEqual(claim([`${line}\n`]), []);
  // What is no field of a line is left out; a text stays one line, and is cut.
  const [made] = claim([
    JSON.stringify({
      ...SENT,
      more: 1,
      constructor: 2,
      message: '\n\u0000</text>\u202e' + 'x'.repeat(2000),
    }),
  ]);
  assert.match(made!, /"message":"\\\\n\\\\x00<\/text>\\\\u\{202e\}x+…","said_by":"p#2"\}$/);
  assert.ok(made!.length < 1000);
  // A line that would be too long when it is written anew is none.
  const long = '\u0001'.repeat(600);
  assert.deepEqual(
    claim([JSON.stringify({ ...SENT, message: long, module: long, reason: long }).slice(0, 4090)]),
    [],
  );
});

test('times at which a process was not there are not taken from it', { skip: !hasAddon }, () => {
  for (const t of [-5, 1e9, 1e308]) {
    const [line] = claim([`${JSON.stringify({ ...SENT, t })}\n`]);
    assert.match(line!, /^\{"event":"send"/); // `claim` has taken a time of a few seconds off
  }
});

test('what is no text, or too much, ends what is taken from a process', { skip: !hasAddon }, () => {
  const cut = ['{"event":"left_out","actor":"p#2"}'];
  const good = `${JSON.stringify(SENT)}\n`;
  assert.deepEqual(claim([Buffer.from([0xff, 0xfe]), good]), cut);
  assert.deepEqual(claim([`${' '.repeat(4096)}\n`, good]), cut);
  assert.equal(claim([good, good, good]).length, 3);
});

test('descriptors that come with what a process says are closed', { skip: !hasAddon }, () => {
  // `claim` looks at what is open afterwards.
  assert.deepEqual(
    claim([], (_, fd) => assert.ok(giveDescriptor(fd, 0) >= 0)),
    [],
  );
  const many = Int32Array.from({ length: 30 }, () => 0);
  const packet = Buffer.from(`${JSON.stringify(SENT)}\n`);
  const give = (_: Reports, fd: number): void => {
    assert.ok(sendmsgUnix(fd, packet, 0, packet.length, MSG_DONTWAIT, undefined, many) > 0);
  };
  assert.equal(claim([], give).length, 1);
});

test('who reads nothing does not keep a process waiting: lines are left out, and counted', {
  skip: !hasAddon,
}, () => {
  const { sender, receiver } = packetPair();
  const task = { start: `${process.hrtime.bigint()}`, label: 'p#2', via: 1 };
  const tracer = startProcessTrace(task, sender);
  const out = new Int32Array(3);
  const bytes = Buffer.alloc(5000);
  const received = new PacketReceiver(receiver, new IoGroup(), () => {});
  const read = (): string => {
    let text = '';
    for (;;) {
      const packet = received.receive(bytes, out);
      if (packet.kind !== 'packet') return text;
      text += bytes.toString('utf8', 0, packet.length);
    }
  };
  try {
    const n = tracer.newActor('p.lua');
    for (let i = 0; i < 20_000; i++) tracer.did('close', n);
    tracer.flush();
    const lines = read()
      .split('\n')
      .filter((line) => line !== '');
    tracer.did('close', n);
    tracer.flush();
    const more = read()
      .split('\n')
      .filter((line) => line !== '');
    const note = JSON.parse(more[0]!);
    assert.deepEqual([note.event, note.actor], ['left_out', 'p#2']);
    assert.equal(lines.length + more.length - 1 + note.count, 20_001);
    // Nobody is there any more: that is no reason to say anything.
    received.close();
    tracer.did('close', n);
    tracer.flush();
    tracer.did('close', n);
    tracer.flush();
  } finally {
    tracing.on = undefined;
    received.close();
    closeAll([sender]);
  }
});
