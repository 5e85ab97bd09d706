import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type Clock,
  monotonicMs,
  monotonicNs,
  startTimer,
  Timer,
  TimerQueue,
  timers,
} from '../../src/io/timer.ts';

/** A clock that stands still until it is told. */
class TestClock implements Clock {
  time = 0;
  alarm: number | undefined;
  arms = 0;
  readonly queue = new TimerQueue(this);

  now(): number {
    return this.time;
  }
  arm(after: number): void {
    assert.ok(Number.isInteger(after) && after >= 0 && after < 2 ** 31, `armed for ${after}`);
    this.alarm = this.time + after;
    this.arms++;
  }
  disarm(): void {
    this.alarm = undefined;
  }
  /** Let time pass, ringing when the alarm says so. */
  advance(to: number): void {
    while (this.alarm !== undefined && this.alarm <= to) {
      this.time = this.alarm;
      this.alarm = undefined;
      this.queue.run();
    }
    this.time = to;
  }
}

function recorder(clock: TestClock, log: string[]) {
  return (name: string, after: number): Timer => {
    const timer = new Timer(() => log.push(`${name}@${clock.time}`));
    clock.queue.start(timer, after);
    return timer;
  };
}

test('timers run in order of their deadlines, equal ones in order of starting', () => {
  const clock = new TestClock();
  const log: string[] = [];
  const start = recorder(clock, log);
  start('b', 20);
  start('a', 10);
  start('c', 20);
  start('d', 20);
  clock.advance(100);
  assert.deepEqual(log, ['a@10', 'b@20', 'c@20', 'd@20']);
  assert.equal(clock.alarm, undefined);
});

test('fractions are rounded up, never down', () => {
  const clock = new TestClock();
  const log: string[] = [];
  recorder(clock, log)('x', 10.001);
  assert.equal(clock.alarm, 11);
  clock.advance(11);
  assert.deepEqual(log, ['x@11']);
});

test('a cancelled timer never runs; cancelling again does nothing', () => {
  const clock = new TestClock();
  const log: string[] = [];
  const start = recorder(clock, log);
  const [a, b, c] = [start('a', 1), start('b', 2), start('c', 3)];
  clock.queue.cancel(a);
  clock.queue.cancel(a);
  clock.queue.cancel(b);
  assert.deepEqual([a.active, b.active, c.active], [false, false, true]);
  clock.advance(10);
  assert.deepEqual(log, ['c@3']);
  clock.queue.cancel(c);
  assert.equal(clock.queue.size, 0);
});

test('cancelling the last one leaves nothing that keeps the process alive', () => {
  const clock = new TestClock();
  const timer = recorder(clock, [])('a', 5);
  clock.queue.cancel(timer);
  assert.equal(clock.alarm, undefined);
});

test('a running timer that is started again runs once, later', () => {
  const clock = new TestClock();
  const log: string[] = [];
  const timer = recorder(clock, log)('a', 5);
  clock.queue.start(timer, 50);
  clock.advance(100);
  assert.deepEqual(log, ['a@50']);
  clock.queue.start(timer, 1);
  clock.advance(200);
  assert.deepEqual(log, ['a@50', 'a@101']);
});

test('long delays are chained, Infinity never fires', () => {
  const clock = new TestClock();
  const log: string[] = [];
  const start = recorder(clock, log);
  start('year', 366 * 86_400_000);
  start('never', Number.POSITIVE_INFINITY);
  clock.advance(365 * 86_400_000);
  assert.deepEqual(log, []);
  clock.advance(400 * 86_400_000);
  assert.deepEqual(log, ['year@31622400000']);
  assert.equal(clock.queue.size, 1);
});

test('what a timer starts without delay runs in the next turn', () => {
  const clock = new TestClock();
  let runs = 0;
  const timer = new Timer(() => {
    runs++;
    clock.queue.start(timer, 0);
  });
  clock.queue.start(timer, 0);
  clock.queue.run();
  assert.equal(runs, 1);
  assert.equal(clock.alarm, 0);
  clock.queue.run();
  assert.equal(runs, 2);
});

test('many that are due do not hold up the event loop: they run in several turns, in order', () => {
  const clock = new TestClock();
  const ran: number[] = [];
  for (let i = 0; i < 2000; i++) clock.queue.start(new Timer(() => ran.push(i)), 5);
  clock.time = 5;
  clock.queue.run();
  assert.ok(ran.length < 2000 && ran.length >= 100, `${ran.length} at once`);
  assert.equal(clock.alarm, 5); // at once
  clock.advance(5);
  assert.deepEqual(
    ran,
    Array.from({ length: 2000 }, (_, i) => i),
  );
  assert.equal(clock.alarm, undefined);
});

test('timers within microseconds run in the order of starting, and never early', () => {
  const clock = new TestClock();
  const log: string[] = [];
  const start = recorder(clock, log);
  start('a', 10.003);
  start('b', 10.001);
  clock.time = 10.002;
  clock.queue.run();
  assert.deepEqual(log, []);
  clock.advance(12);
  assert.deepEqual(log, ['a@11.002', 'b@11.002']);
});

test('room for many timers is given back, and all works afterwards', () => {
  const clock = new TestClock();
  for (let round = 0; round < 2; round++) {
    const log: string[] = [];
    const start = recorder(clock, log);
    const many = Array.from({ length: 20_000 }, (_, i) => start(`${i}`, 1e6 + i));
    for (const timer of many) clock.queue.cancel(timer);
    assert.equal(clock.queue.size, 0);
    const kept = start('kept', 10);
    assert.equal(kept.active, true);
    clock.advance(clock.time + 10);
    assert.deepEqual(log, [`kept@${clock.time}`]);
  }
});

test('a timer may cancel another that is due', () => {
  const clock = new TestClock();
  const log: string[] = [];
  const start = recorder(clock, log);
  let other: Timer | undefined;
  clock.queue.start(new Timer(() => clock.queue.cancel(other!)), 5);
  other = start('other', 5);
  start('third', 5);
  clock.advance(10);
  assert.deepEqual(log, ['third@5']);
});

test('negative delays and NaN are refused', () => {
  const { queue } = new TestClock();
  assert.throws(() => queue.start(new Timer(() => {}), -1), RangeError);
  assert.throws(() => queue.start(new Timer(() => {}), Number.NaN), RangeError);
  assert.equal(queue.size, 0);
});

test('random starts and cancels run as a sorted list would', () => {
  for (let round = 0; round < 30; round++) {
    const clock = new TestClock();
    const model = new Map<Timer, { deadline: number; order: number; id: number }>();
    const ran: number[] = [];
    const expected: number[] = [];
    const all: Timer[] = [];
    let order = 0;
    for (let step = 0; step < 600; step++) {
      const what = Math.random();
      if (what < 0.55) {
        const id = all.length;
        const timer = new Timer(() => {
          ran.push(id);
          model.delete(timer);
        });
        const after = Math.floor(Math.random() * 50);
        clock.queue.start(timer, after);
        model.set(timer, { deadline: clock.time + after, order: order++, id });
        all.push(timer);
      } else if (what < 0.85 && all.length > 0) {
        const timer = all[Math.floor(Math.random() * all.length)]!;
        clock.queue.cancel(timer);
        model.delete(timer);
      } else {
        const to = clock.time + Math.floor(Math.random() * 20);
        const due = [...model.values()].filter(({ deadline }) => deadline <= to);
        due.sort((a, b) => a.deadline - b.deadline || a.order - b.order);
        expected.push(...due.map(({ id }) => id));
        clock.advance(to);
        assert.deepEqual(ran, expected);
      }
      assert.equal(clock.queue.size, model.size);
    }
  }
});

test('of many timers most are cancelled: the others run in order, as do those that come after them', () => {
  const clock = new TestClock();
  const ran: number[] = [];
  const all: Timer[] = [];
  const expected: [deadline: number, id: number][] = [];
  for (let id = 0; id < 5000; id++) {
    const timer = new Timer(() => ran.push(id));
    const after = 10 + ((id * 7919) % 1000);
    clock.queue.start(timer, after);
    all.push(timer);
    if (id % 10 === 3) expected.push([after, id]);
  }
  for (let id = 0; id < 5000; id++) {
    const turn = (id * 1009) % 5000; // in another order than that of starting
    if (turn % 10 !== 3) clock.queue.cancel(all[turn]!);
  }
  for (let id = 5000; id < 6000; id++) {
    const after = 10 + ((id * 31) % 1000);
    clock.queue.start(new Timer(() => ran.push(id)), after);
    expected.push([after, id]);
  }
  assert.equal(clock.queue.size, 1500);
  clock.advance(2000);
  expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  assert.deepEqual(
    ran,
    expected.map(([, id]) => id),
  );
  assert.equal(clock.alarm, undefined);
});

test('timers that are started and cancelled again and again take no more room than there are', () => {
  const clock = new TestClock();
  const { queue } = clock;
  const some = Array.from({ length: 100 }, () => new Timer(() => {}));
  for (const timer of some) queue.start(timer, 1000);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200_000; i++) queue.start(some[(i * 37) % 100]!, 1000 + (i % 7));
  // 28 bytes for each of 200,000 would be 5 MB.
  assert.ok(process.memoryUsage().arrayBuffers - before < 100_000);
  assert.equal(queue.size, 100);
});

test('many timers of one delay arm the alarm once', () => {
  const clock = new TestClock();
  const start = recorder(clock, []);
  for (let i = 0; i < 1000; i++) start('t', 100 + i);
  assert.equal(clock.arms, 1);
});

test('a started timer takes less than 150 bytes', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const { queue } = new TestClock();
  const COUNT = 100_000;
  const done = () => {};
  for (let i = 0; i < COUNT; i++) queue.start(new Timer(done), 1e9); // grow, and compile
  const memory = () => {
    gc(); // arrays that have been replaced are given back by the next one
    gc();
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  };
  const empty = new TimerQueue(new TestClock());
  const before = memory();
  for (let i = 0; i < COUNT; i++) empty.start(new Timer(done), i);
  const each = (memory() - before) / COUNT;
  assert.ok(each < 150, `${each} bytes`); // arrays that double: 95 on average
  assert.equal(empty.size + queue.size, 2 * COUNT);
});

test('real time: never early, and cancel works', async () => {
  const starts = monotonicMs();
  const ns = monotonicNs();
  const elapsed = await new Promise<number>((resolve) => {
    startTimer(20.3, () => resolve(monotonicMs() - starts));
  });
  assert.ok(elapsed >= 20.3, `${elapsed} ms`);
  assert.ok(monotonicNs() - ns >= 20_000_000n);
  let called = false;
  const cancel = startTimer(5, () => {
    called = true;
  });
  cancel();
  cancel();
  await delay(20);
  assert.equal(called, false);
  assert.equal(timers.size, 0);
});

test('real time: a delay of 0 comes in the next turn of the loop, and not before startTimer returns', async () => {
  for (let i = 0; i < 200; i++) {
    let returned = false;
    let turns = 0;
    await new Promise<void>((resolve) => {
      const count = (): void => {
        turns++;
        if (returned) setImmediate(count);
      };
      startTimer(0, () => {
        assert.equal(returned, true);
        returned = false;
        resolve();
      });
      returned = true;
      setImmediate(count);
    });
    assert.ok(turns <= 2, `${turns} turns`); // with a timer of Node's it would be a millisecond of them
  }
});

test('real time: earlier ones overtake, after cancels too', async () => {
  const log: string[] = [];
  const start = monotonicMs(); // of all: they aren't started at one moment
  const begin = (after: number): Timer => {
    const timer = new Timer(() => log.push(`${after}`));
    timers.startAt(timer, start + after);
    return timer;
  };
  const [first, second] = [30, 1, 60].map(begin);
  timers.cancel(second!);
  begin(45);
  begin(10);
  timers.cancel(first!);
  while (timers.size > 0) await delay(1);
  assert.deepEqual(log, ['10', '45', '60']);
});

test('the process ends with its last timer, or when that is cancelled', () => {
  const url = new URL('../../src/io/timer.ts', import.meta.url).href;
  const program = `
    const { startTimer } = await import('${url}');
    const cancel = startTimer(60_000, () => console.log('never'));
    startTimer(20, () => { console.log('first'); cancel(); });
    const other = startTimer(10, () => console.log('never'));
    other();
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  assert.equal(child.stdout, 'first\n');
  assert.equal(child.status, 0);
});
