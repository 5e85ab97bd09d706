import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { runCommand } from '../support/spec.ts';

const program = join(import.meta.dirname, '../../examples/prime_actors.lua');

test('prime_actors.lua: a pipeline of actors sieves', async () => {
  const { stdout, stderr, code } = await runCommand([program]);
  assert.equal(stderr, '');
  assert.equal(stdout, '2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97\n');
  assert.equal(code, 0);
});

test('prime_actors.lua: 168 actors below 1000', async () => {
  const { stdout, code } = await runCommand([program, '--', '1000']);
  assert.equal(stdout.trim().split(' ').length, 168);
  assert.equal(code, 0);
});
