import assert from 'node:assert/strict';
import test from 'node:test';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const count = (stdin: string) => runCommand([example('word_count.lua')], { stdin });

test('word_count counts as wc does, and sorts words by how often they come', async () => {
  const { stdout, stderr, code } = await count('the cat\n\n  the  dog \nthe bird sees the cat');
  assert.deepEqual([stderr, code], ['', 0]);
  assert.equal(stdout, '3 lines, 9 words, 42 bytes\n4\tthe\n2\tcat\n1\tbird\n1\tdog\n1\tsees\n');
});

test('word_count of nothing', async () => {
  assert.equal((await count('')).stdout, '0 lines, 0 words, 0 bytes\n');
});
