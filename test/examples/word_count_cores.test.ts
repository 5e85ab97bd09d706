import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const skip = nativeFailure() === undefined ? false : 'the addon is not there';

/** Words of all lengths: some lie on the ends of blocks, one is longer than what is read at once there. */
function makeText(): string {
  const words: string[] = [];
  let state = 1;
  for (let size = 0; size < 2.3 * 2 ** 20; size += words.at(-1)!.length + 1) {
    state = (state * 48271) % 0x7fffffff;
    words.push(`${'abc'[state % 3]}`.repeat(1 + ((state >> 3) % 40)));
  }
  const text = words.join(' ');
  return text.slice(0, 2 ** 20 - 10) + 'x'.repeat(2000) + text.slice(2 ** 20 - 10);
}

test('word_count_cores: with and without threads the same, and as JavaScript counts', {
  skip,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-words-'));
  try {
    const name = join(folder, 'text');
    const text = makeText();
    writeFileSync(name, text);
    const words = text.split(' ');
    const first = `${words.length} words, ${new Set(words).size} different ones\n`;
    const count = async (threads: number): Promise<string> => {
      const args = [example('word_count_cores.lua'), '--', name, String(threads)];
      const { stdout, stderr, code } = await runCommand(args);
      assert.deepEqual([stderr, code], ['', 0]);
      return stdout;
    };
    const serial = await count(0);
    assert.equal(serial.slice(0, first.length), first);
    assert.equal(await count(3), serial);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
