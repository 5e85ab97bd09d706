/** `--inspect`: what a debugger sees of a program, and who can be one. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import test from 'node:test';
import { debugging, LuaDebugger } from '../support/debugger.ts';
import { runCommand, runProgram } from '../support/spec.ts';

const LIMIT = { timeout: 300_000 };

// ── stepping ───────────────────────────────────────────────────────────────────────────────────────

const LOOP = `local time = require 'time'
local function add(a, b)
  local sum = a + b
  return sum
end
local t = {5, 6, 7}
for i = 1, 2 do
  local r = add(i, t[i])
  time.sleep(0.001)
  print(i, r)
end
print('end')
`;

test(
  '--inspect-brk stops at the first line of the program; steps go line by line, also over what suspends',
  LIMIT,
  () =>
    debugging(LOOP, async (session) => {
      const [first] = await session.stopped();
      assert.equal(first!.at, 'main chunk:1');
      const lines: string[] = [];
      for (let i = 0; i < 14; i++) lines.push((await session.stepOver())[0]!.at!);
      assert.deepEqual(
        lines.map((at) => at.replace('main chunk:', '')),
        // `for` once for its values, and each time round for its test
        ['1', '2', '6', '7', '7', '8', '9', '10', '7', '7', '8', '9', '10', '7'],
      );
      assert.deepEqual(await session.finish(), {
        code: 0,
        stdout: '1\t6\n2\t8\nend\n',
        stderr: session.stderr,
      });
    }),
);

test('a breakpoint at a line of Lua: locals have their names and values there', LIMIT, () =>
  debugging(LOOP, async (session) => {
    await session.stopped();
    await session.breakAt(4);
    const [inner, outer] = await session.resume();
    assert.equal(inner!.at, 'add:4');
    assert.equal(outer!.at, 'main chunk:8');
    assert.deepEqual(await session.variables(inner!).then(({ a, b, sum }) => [a, b, sum]), [
      '1',
      '5',
      '6',
    ]);
    const { i, r } = await session.variables(outer!);
    assert.deepEqual([i, r], ['1', undefined]);
    assert.equal(await session.evaluate(inner!, 'a * 100 + sum'), 106);
    // In the second round the loop runs in a continuation.
    await session.breakAt(10);
    assert.equal((await session.resume())[0]!.at, 'main chunk:10');
    const [again, caller] = await session.resume();
    assert.deepEqual([again!.at, caller!.at], ['add:4', 'main chunk:8']);
    assert.deepEqual(await session.variables(again!).then(({ a, b, sum }) => [a, b, sum]), [
      '2',
      '6',
      '8',
    ]);
    const [last] = await session.resume();
    assert.equal(last!.at, 'main chunk:10');
    const at10 = await session.variables(last!);
    assert.deepEqual([at10.i, at10.r], ['2', '8']);
  }),
);

test(
  'step into a function, and out of it; upvalues; names that are JavaScript words or taken twice',
  LIMIT,
  () =>
    debugging(
      `local new, count = 3, 0
local function class(this)
  count = count + this
  local this = count * new
  return this
end
local x = class(4)
print(x)
`,
      async (session) => {
        await session.stopped();
        await session.breakAt(7);
        await session.resume();
        let frames = await session.stepInto();
        while (!frames[0]!.at!.startsWith('class:')) frames = await session.stepInto();
        while (frames[0]!.at !== 'class:5') frames = await session.stepOver();
        const seen = await session.variables(frames[0]!);
        assert.deepEqual(
          [seen.this$2, seen.this$3, seen.new$2, await session.evaluate(frames[0]!, 'count.v')],
          ['4', '12', '3', 4],
        );
        // What is left of the line is no statement of its own.
        frames = await session.stepOut();
        assert.equal(frames[0]!.at, 'main chunk:8');
        assert.equal((await session.variables(frames[0]!)).x, '12');
      },
    ),
);

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────

for (const [what, statement] of [
  ['error', "error('no')"],
  ['an index of nil', 'local n = t.missing.field'],
  ['a store into nil', 'missing.field = 1'],
  ['arithmetic on a table', 'local n = t + 1'],
  ['a call of nil', 'missing()'],
] as const) {
  test(`a debugger stops where an error is raised that nothing catches: ${what}`, LIMIT, () =>
    debugging(
      `local t = {}
local function fail(depth)
  ${statement}
end
print((pcall(fail, 1)))
fail(2)
`,
      async (session) => {
        await session.stopped();
        const frames = await session.resume();
        assert.equal(frames[0]!.raw.functionName, 'uncaught_error');
        const lua = frames.filter(({ at }) => at !== undefined);
        assert.deepEqual(
          lua.map(({ at }) => at),
          ['fail:3', 'main chunk:6'],
        );
        assert.equal((await session.variables(lua[0]!)).depth, '2');
        const { code, stdout, stderr } = await session.finish();
        assert.deepEqual([code, stdout], [1, 'false\n']);
        assert.match(stderr, /panicked/);
      },
    ),
  );
}

test(
  'a debugger stops where a cleanup handler raises: no pcall around it catches that',
  LIMIT,
  () =>
    debugging(
      `local function clean()
  error('no')
end
pcall(function()
  this_fiber.yield()
  pcall(coroutine.wrap(function() scope_cleanup_push(clean) end))
end)
`,
      async (session) => {
        await session.stopped();
        const frames = await session.resume();
        assert.equal(frames[0]!.raw.functionName, 'uncaught_error');
        assert.equal(frames.find(({ at }) => at !== undefined)?.at, 'clean:2');
        const { code, stderr } = await session.finish();
        assert.equal(code, 1);
        assert.match(stderr, /forcibly closed/);
      },
    ),
);

test('no stop at an error that the runtime raises for itself', LIMIT, () =>
  debugging(
    `local c = require('channel').new(1)
c:send(1)
c:close()
for v in c:values() do print(v) end
print('end')
`,
    async (session) => {
      await session.stopped();
      await session.breakAt(5);
      assert.equal((await session.resume())[0]!.at, 'main chunk:5');
    },
  ),
);

// ── who can debug ──────────────────────────────────────────────────────────────────────────────────

const WAITS = `print('runs') require('time').sleep(60)`;

const printed = async (session: LuaDebugger, text: string): Promise<void> => {
  while (!session.stdout.includes(text)) await new Promise((done) => setTimeout(done, 20));
};

const canConnect = (host: string, port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect({ host, port });
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });

test('only this machine can reach the debugger', LIMIT, async () => {
  const session = new LuaDebugger(WAITS, ['--inspect=0']);
  try {
    const { hostname, port } = new URL(await session.url());
    assert.equal(hostname, '127.0.0.1');
    assert.equal(await canConnect('127.0.0.1', Number(port)), true);
    // It would be there, too, if all addresses were bound.
    assert.equal(await canConnect('127.0.0.2', Number(port)), false);
  } finally {
    await session.kill();
  }
});

/** Sockets that listen for TCP, by inode: proc_net(5). */
function listening(): Set<string> {
  return new Set(
    ['tcp', 'tcp6'].flatMap((name) =>
      readFileSync(`/proc/net/${name}`, 'latin1')
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => fields[3] === '0A')
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  );
}

/** @returns 0 for a process that has ended */
function listenersOf(pid: number): number {
  const all = listening();
  return descriptorsOf(pid).filter((fd) => {
    try {
      return all.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

const descriptorsOf = (pid: number): string[] =>
  ofProcess(() => readdirSync(`/proc/${pid}/fd`), []);

function descendants(pid: number): number[] {
  const children = ofProcess(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'), '')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** What `read` tells of a process, or `gone` when that has ended. */
function ofProcess<T>(read: () => T, gone: T): T {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return gone;
    throw error;
  }
}

test('processes of actors have no debugger, and open none on SIGUSR1', {
  ...LIMIT,
  skip: process.platform !== 'linux' && 'subprocess actors are for Linux',
}, async () => {
  const session = new LuaDebugger(
    `if _CONTEXT == 'worker' then
      local inbox = require 'inbox'
      inbox:receive().reply:send('up')
      inbox:receive()
    end
    local inbox = require 'inbox'
    local child = spawn_vm{module = '.', subprocess = {environment = {NODE_OPTIONS = '--inspect=0'}}}
    child:send{reply = inbox}
    print(inbox:receive())
    inbox:receive()`,
    ['--inspect=0'],
    { NODE_OPTIONS: '' },
  );
  try {
    await printed(session, 'up');
    assert.equal(listenersOf(session.pid), 1);
    const processes = descendants(session.pid);
    assert.ok(processes.length >= 2, 'the supervisor and the actor');
    for (const pid of processes) assert.equal(listenersOf(pid), 0);
    for (const pid of processes) ofProcess(() => process.kill(pid, 'SIGUSR1'), false);
    await new Promise((done) => setTimeout(done, 300));
    for (const pid of processes) assert.equal(listenersOf(pid), 0);
    assert.doesNotMatch(session.stderr.replace(/^.*listening on.*\n/, ''), /listening on/);
  } finally {
    await session.kill();
  }
});

test("Node's own options are as good: code is Lua's for that debugger, too", LIMIT, async () => {
  const session = new LuaDebugger(WAITS, [], { NODE_OPTIONS: '--inspect=0' });
  try {
    await printed(session, 'runs');
    await session.connect();
    assert.equal(
      [...session.scripts.values()].some(({ text }) => text === WAITS),
      true,
    );
  } finally {
    await session.kill();
  }
});

test('without --inspect nothing listens, and code has no maps', LIMIT, async () => {
  const { stdout, stderr } = await runProgram("print(jit ~= nil) error('x')");
  assert.equal(stdout, 'true\n');
  assert.doesNotMatch(stderr, /listening/i);
});

test(
  'an address that is none is a mistake; one that is taken ends the program',
  LIMIT,
  async () => {
    for (const wrong of ['', 'x', '70000', 'a:b:1', ':1', '127.0.0.1:']) {
      const { stderr, code } = await runCommand([`--inspect=${wrong}`, 'x.lua']);
      assert.deepEqual([stderr, code], [`perilune: '--inspect=${wrong}': not [HOST:]PORT\n`, 2]);
    }
    const session = new LuaDebugger(WAITS, ['--inspect=0']);
    try {
      const { port } = new URL(await session.url());
      const { stdout, stderr, code } = await runProgram('print(1)', {
        flags: [`--inspect=${port}`],
      });
      assert.deepEqual([stdout, code], ['', 1]);
      assert.match(stderr, /address already in use/);
    } finally {
      await session.kill();
    }
  },
);
