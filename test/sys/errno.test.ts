import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import {
  errnoMessage,
  errnoName,
  errnoNumber,
  errnoOfFreeBsd,
  ok,
  okFreeBsd,
  SysError,
} from '../../src/sys/errno.ts';

test('numbers and names agree with those of libuv', () => {
  let known = 0;
  for (const [negative, [name]] of getSystemErrorMap()) {
    if (negative < -200) continue; // EOF, EAI_…: libuv's own
    assert.equal(errnoNumber(name), -negative, name);
    known++;
  }
  assert.ok(known > 60);
});

test('aliases have the number of the first name', () => {
  assert.equal(errnoNumber('EWOULDBLOCK'), errnoNumber('EAGAIN'));
  assert.equal(errnoNumber('ENOTSUP'), errnoNumber('EOPNOTSUPP'));
  assert.equal(errnoName(11), 'EAGAIN');
  assert.equal(errnoName(95), 'EOPNOTSUPP');
});

test('messages are those of glibc', () => {
  assert.equal(errnoMessage(2), 'No such file or directory');
  assert.equal(errnoMessage(32), 'Broken pipe');
  assert.equal(errnoMessage(105), 'No buffer space available');
  assert.equal(errnoMessage(0), 'Success');
  assert.equal(errnoMessage(41), 'Unknown error 41');
  assert.equal(errnoMessage(4000), 'Unknown error 4000');
});

test('unknown names and numbers are undefined', () => {
  assert.equal(errnoNumber('constructor'), undefined);
  assert.equal(errnoName(0), undefined);
});

test('ok passes results on, and throws errors with their call', () => {
  assert.equal(ok('read', 7), 7);
  assert.throws(
    () => ok('bind', -98),
    (error) =>
      error instanceof SysError &&
      error.errno === 98 &&
      error.syscall === 'bind' &&
      error.message === 'bind: Address already in use (EADDRINUSE)',
  );
});

test("FreeBSD's numbers become ours, by their names", () => {
  const names = (...numbers: number[]) => numbers.map((n) => errnoName(errnoOfFreeBsd(n)));
  assert.deepEqual(names(1, 2, 11, 22, 34), ['EPERM', 'ENOENT', 'EDEADLK', 'EINVAL', 'ERANGE']);
  assert.deepEqual(names(35, 45, 62, 63, 66), [
    'EAGAIN',
    'EOPNOTSUPP',
    'ELOOP',
    'ENAMETOOLONG',
    'ENOTEMPTY',
  ]);
  assert.deepEqual(names(78, 93, 94, 95, 96), [
    'ENOSYS',
    'ENOTCAPABLE',
    'ECAPMODE',
    'ENOTRECOVERABLE',
    'EOWNERDEAD',
  ]);
  assert.equal(errnoOfFreeBsd(67), 2067); // EPROCLIM
  assert.equal(errnoOfFreeBsd(97), 2097);
  assert.equal(okFreeBsd('jail_set', 3), 3);
  assert.throws(
    () => okFreeBsd('cap_rights_limit', -93),
    (e) => e instanceof SysError && e.message.includes('Capabilities insufficient'),
  );
});
