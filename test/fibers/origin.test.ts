/** Where fibers come from: kept as long as they live, so fibers of one origin have one object for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fiber, Origin } from '../../src/fibers/fiber.ts';
import { originOf } from '../../src/fibers/origin.ts';
import type { SitePosition } from '../../src/runtime/error.ts';

/** A call in the program, whose position is made anew each time that it is asked for. */
const callAt = (line: number): { readonly position: SitePosition } => ({
  get position() {
    const script = { chunkName: 'main.lua', lines: [], ops: new Map(), functions: [] };
    return { script, line, functionIndex: 0, names: undefined };
  },
});

const parent = (id: number, origin?: Origin): Fiber => ({ id, origin }) as Fiber;

test('fibers that one fiber makes at one place share their origin', () => {
  const call = callAt(7);
  const first = originOf(call, parent(1));
  assert.equal(originOf(call, parent(1)), first);
  assert.equal(first.by, 1);
  assert.equal(first.at?.line, 7);
});

test('another place, another fiber, or one with the same number that came from elsewhere: another origin', () => {
  const call = callAt(7);
  const first = originOf(call, parent(2));
  assert.notEqual(originOf(callAt(7), parent(2)), first);
  assert.equal(originOf(call, parent(3)).by, 3);
  const grown = originOf(call, parent(2, first));
  assert.equal(grown.before, first);
  assert.equal(originOf(call, parent(2)).before, undefined);
});
