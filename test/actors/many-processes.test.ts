/**
 * Many processes of actors leave nothing behind: bench/actors/row.lua looks before and after. PERILUNE_MANY says how many
 * there are one after the other (10,000 take minutes), and a tenth of that, or 15, at once.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { MAIN } from '../support/spec.ts';

const IN_A_ROW = Number(process.env['PERILUNE_MANY'] ?? 30);
const AT_ONCE = Math.max(15, Math.ceil(IN_A_ROW / 10));
/** Milliseconds that one may take on a machine that has other things to do. */
const EACH = 5000;
/** Bytes that one needs, with PID 1 of its namespace; and what is to be left. */
const NEEDS = 4 * 2 ** 20;
const RESERVE = 2 ** 30;

const root = join(import.meta.dirname, '../..');

/** In a user namespace of its own, which may have so many of each kind of namespaces beneath it: namespaces(7). */
const limited = (spaces: number): string[] => [
  'unshare',
  '-Ur',
  'sh',
  '-c',
  `for kind in user mnt pid net uts ipc; do echo ${spaces} > /proc/sys/user/max_\${kind}_namespaces; done; exec "$@"`,
  'sh',
];

function run(prefix: string[], program: string, ...args: string[]): string {
  const lua = join(root, 'bench/actors', program);
  const command = [...prefix, process.execPath, '--stack-size=3900', MAIN, lua, '--', ...args];
  const timeout = 60_000 + IN_A_ROW * EACH;
  const ended = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8', timeout });
  assert.equal(ended.stderr, '');
  assert.equal(ended.status, 0, `${ended.signal}`);
  return ended.stdout;
}

function missing(kind: string): string | undefined {
  if (nativeFailure() !== undefined) return nativeFailure();
  if (kind === 'plain') return undefined;
  return noSandboxes();
}

function rooms(count: number): string | undefined {
  const free = Number(/^MemAvailable: *(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]);
  const needed = count * NEEDS + RESERVE;
  return free * 1024 >= needed ? undefined : `needs ${needed >> 20} MB of memory`;
}

for (const kind of ['plain', 'inbox'])
  test(`${IN_A_ROW} in a row: ${kind}`, {
    skip: missing(kind) ?? false,
    timeout: 300_000 + IN_A_ROW * EACH,
  }, () => {
    // A kernel takes its time to take network namespaces down, but not for ever.
    const spaces = Math.ceil(IN_A_ROW / 2);
    const out = run(kind === 'plain' ? [] : limited(spaces), 'row.lua', kind, `${IN_A_ROW}`);
    const [, ...rows] = out.trim().split('\n');
    const found = new Map(
      rows.map((row) => {
        const [name, before, after] = row.split('\t');
        return [name!, [Number(before), Number(after)] as const];
      }),
    );
    const [before, after] = found.get('memory of the supervisor')!;
    found.delete('memory of the supervisor');
    assert.equal(found.size, 5);
    for (const [name, [then, now]] of found) {
      assert.ok(then > 0, name);
      assert.equal(now, then, name);
    }
    assert.ok(before > 1000 && after - before < 1024, `${before} KB, then ${after}`);
  });

for (const kind of ['plain', 'inbox'])
  test(`${AT_ONCE} at once: ${kind}`, {
    skip: missing(kind) ?? rooms(AT_ONCE) ?? false,
    timeout: 300_000 + IN_A_ROW * EACH,
  }, () => {
    const [us, kb] = run([], 'at_once.lua', kind, `${AT_ONCE}`).split(' ').map(Number);
    assert.ok(us! > 0);
    assert.ok(kb! > 100 && kb! * 1024 < NEEDS, `${kb} KB each`);
  });
