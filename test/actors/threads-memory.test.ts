/** The memory that threads share, where one of them ends in the middle. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { makeSharedMemory, SharedMemory } from '../../src/actors/threads/memory.ts';

const skip = existsSync('/proc/thread-self') ? false : 'threads have no numbers here';
const MEMORY = new URL('../../src/actors/threads/memory.ts', import.meta.url).href;

/** A thread that does this with `memory`, and tells `post` of it. */
function thread(shared: SharedArrayBuffer, slot: number, body: string): Worker {
  const text = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { SharedMemory } from ${JSON.stringify(MEMORY)};
    const memory = new SharedMemory(workerData.shared, workerData.slot);
    const post = (what) => parentPort.postMessage(what);
    ${body}`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  return new Worker(url, { workerData: { shared, slot } });
}

/** What it posts first; undefined: nothing in this time. */
async function firstOf(worker: Worker, seconds: number): Promise<unknown> {
  const signal = AbortSignal.timeout(seconds * 1000);
  try {
    return (await once(worker, 'message', { signal }))[0];
  } catch {
    return undefined;
  }
}

const PUSH = `post(memory.push(0, workerData.slot, new Uint8Array([1, 2, 3]), { at: 0 }));`;

test('a thread that ends with a lock does not keep others out', { skip }, async () => {
  const shared = makeSharedMemory();
  const memory = new SharedMemory(shared, 0);
  memory.beginMain(false);
  const first = memory.reserve(1, false)!;
  const holder = thread(shared, first, `memory.lock(0); post('has it'); for (;;) {}`);
  assert.equal(await firstOf(holder, 60), 'has it');
  const second = thread(shared, memory.reserve(1, false)!, PUSH);
  try {
    const pushed = firstOf(second, 60);
    // One that lives keeps it, however long that takes.
    assert.equal(await Promise.race([pushed, setTimeout(1000, 'waits')]), 'waits');
    await holder.terminate();
    assert.equal(await pushed, 'pushed');
    assert.equal(memory.peek(0)?.length, 3);
  } finally {
    await holder.terminate();
    await second.terminate();
  }
});

test('who is buried gives back all locks, known by a number or not', { skip }, async () => {
  const shared = makeSharedMemory();
  const memory = new SharedMemory(shared, 0);
  memory.beginMain(false);
  const dead = memory.reserve(1, false)!;
  memory.begin(dead);
  const holder = thread(
    shared,
    dead,
    `memory.lock(0); memory.lock(workerData.slot); post('has them'); for (;;) {}`,
  );
  assert.equal(await firstOf(holder, 60), 'has them');
  await holder.terminate();
  const TID = 13;
  memory.set(dead, TID, 0);
  memory.end(dead);
  assert.ok(memory.isGone(dead));
  const pusher = thread(shared, memory.reserve(1, false)!, PUSH);
  try {
    assert.equal(await firstOf(pusher, 60), 'pushed');
  } finally {
    await pusher.terminate();
  }
});
