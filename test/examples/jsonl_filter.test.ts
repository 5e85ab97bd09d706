import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { MAIN, runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const LINES = [
  '{"level":"error","ms":120,"user":{"name":"ann"}}',
  '  {"level":"info","ms":3}\r',
  '',
  '{"level":"error","ms":7,"items":[{"p":1},{"p":2}],"ok":null}',
  '[1,2]',
];

const filter = (args: string[], stdin = `${LINES.join('\n')}\n`) =>
  runCommand([example('jsonl_filter.lua'), '--', ...args], { stdin });

test('jsonl_filter lets lines pass for which all conditions hold', async () => {
  const passing: [string[], number[]][] = [
    [[], [0, 1, 3, 4]],
    [['level=error', 'ms>7'], [0]],
    [
      ['level!=x', 'ms<=7'],
      [1, 3],
    ],
    [['user.name~^a', 'ms~^1', 'ms!=a'], [0]],
    [['items.2.p=2'], [3]],
    [['items', 'ok=null'], [3]],
    [['2=2'], [4]],
  ];
  for (const [args, lines] of passing) {
    const { stdout, stderr, code } = await filter(args);
    assert.deepEqual([stderr, code], ['', 0]);
    assert.equal(stdout, lines.map((i) => `${LINES[i]!.trim()}\n`).join(''), args.join(' '));
  }
});

test('jsonl_filter picks fields', async () => {
  const { stdout } = await filter(['--pick', 'user.name,ms', 'ms>5']);
  const records = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(records, [{ 'user.name': 'ann', ms: 120 }, { ms: 7 }]);
});

test('jsonl_filter tells lines that are no JSON, and arguments that are none', async () => {
  const { stdout, stderr, code } = await filter([], '{"a":1}\n{"a":\n{"a":2}');
  assert.equal(stdout, '{"a":1}\n{"a":2}\n');
  assert.match(stderr, /^jsonl_filter: line 2, column 6: /);
  assert.equal(code, 1);
  assert.equal((await filter(['a~('])).code, 2);
  assert.equal((await filter(['=1'])).code, 2);
  assert.equal((await filter(['--pick'])).code, 2);
});

test('jsonl_filter shows each line at once, and ends when nobody reads any more', async () => {
  const args = ['--stack-size=3900', MAIN, example('jsonl_filter.lua'), '--', 'a>0'];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {});
  for (const line of ['{"a":1}\n', '{"a":2}\n']) {
    child.stdin.write(`{"a":0}\n${line}`);
    const [data] = await once(child.stdout, 'data');
    assert.equal(String(data), line);
  }
  const closed = once(child, 'close');
  child.stdout.destroy();
  child.stdin.end('{"a":3}\n'.repeat(100_000));
  assert.deepEqual(await closed, [0, null]);
});
