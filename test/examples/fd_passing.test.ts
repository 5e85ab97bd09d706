import assert from 'node:assert/strict';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const skip = nativeFailure() ?? false;

test('fd_passing: a client stays connected while its server is replaced', {
  skip,
  timeout: 300_000,
}, async () => {
  const { stdout, stderr, code } = await runCommand([example('fd_passing.lua')]);
  assert.equal(stderr, '');
  assert.equal(
    stdout,
    `old server got hello
old server is asked to hand over
new server takes over: acceptor
new server takes over: client
new server got are you still there?
new server got me too
`,
  );
  assert.equal(code, 0);
});
