/** Files in threads: their rings end with them, and do without where there is none. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { useRing } from '../../src/io/uring.ts';
import { nativeFailure } from '../../src/sys/native.ts';

const program = join(import.meta.dirname, 'programs/ring-worker.ts');
const skip = nativeFailure() ?? false;

test('a thread ends while reads are in its ring', {
  skip: skip || (!useRing(true) && 'no io_uring'),
  timeout: 300_000,
}, async () => {
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(program, { workerData: 'pending' });
    const [started] = await once(worker, 'message');
    assert.equal(started, 256, 'what has no room goes to the pool');
    await worker.terminate();
  }
});

test('where io_uring is not allowed, the pool reads', { skip, timeout: 300_000 }, async () => {
  const worker = new Worker(program, { workerData: 'none' });
  const exited = once(worker, 'exit'); // it may come with the message
  const [[result, text]] = await once(worker, 'message');
  assert.equal(result, 10);
  assert.equal(text, 'A thread t');
  await exited;
});
