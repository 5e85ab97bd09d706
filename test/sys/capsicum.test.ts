/** Capsicum's rights as bytes. The values are those that FreeBSD's <sys/capsicum.h> gives its compiler. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contains,
  FCNTL_RIGHTS,
  packRights,
  type Rights,
  rightNames,
  rightsOf,
  unpackRights,
  without,
} from '../../src/sys/capsicum.ts';

/** name:CAP_NAME, with the bit that says in which word it belongs. */
const HEADER = `
  accept:0200000020000000 acl_check:0400000000010000 acl_delete:0400000000020000
  acl_get:0400000000040000 acl_set:0400000000080000 bind:0200000040000000 bindat:0200008000000400
  chflagsat:0200000000001400 connect:0200000080000000 connectat:0200010000000400
  create:0200000000000040 event:0400000000000020 extattr_delete:0400000000001000
  extattr_get:0400000000002000 extattr_list:0400000000004000 extattr_set:0400000000008000
  fchdir:0200000000000800 fchflags:0200000000001000 fchmod:0200000000002000
  fchmodat:0200000000002400 fchown:0200000000004000 fchownat:0200000000004400
  fcntl:0200000000008000 fexecve:0200000000000080 flock:0200000000010000 fpathconf:0200000000020000
  fsck:0200000000040000 fstat:0200000000080000 fstatat:0200000000080400 fstatfs:0200000000100000
  fsync:0200000000000100 ftruncate:0200000000000200 futimes:0200000000200000
  futimesat:0200000000200400 getpeername:0200000100000000 getsockname:0200000200000000
  getsockopt:0200000400000000 ioctl:0400000000000080 kqueue:0400000000100040
  kqueue_change:0400000000100000 kqueue_event:0400000000000040 linkat_source:0200020000000400
  linkat_target:0200000000400400 listen:0200000800000000 lookup:0200000000000400
  mac_get:0400000000000001 mac_set:0400000000000002 mkdirat:0200000000800400
  mkfifoat:0200000001000400 mknodat:0200000002000400 mmap:0200000000000010 mmap_r:020000000000001d
  mmap_rw:020000000000001f mmap_rwx:020000000000003f mmap_rx:020000000000003d
  mmap_w:020000000000001e mmap_wx:020000000000003e mmap_x:020000000000003c
  pdgetpid:0400000000000200 pdkill:0400000000000800 peeloff:0200001000000000 pread:020000000000000d
  pwrite:020000000000000e read:0200000000000001 recv:0200000000000001
  renameat_source:0200000004000400 renameat_target:0200040000000400 seek:020000000000000c
  sem_getvalue:0400000000000004 sem_post:0400000000000008 sem_wait:0400000000000010
  send:0200000000000002 setsockopt:0200002000000000 shutdown:0200004000000000
  symlinkat:0200000008000400 ttyhook:0400000000000100 unlinkat:0200000010000400
  write:0200000000000002
`
  .trim()
  .split(/\s+/)
  .map((pair) => pair.split(':') as [string, string]);

const EMPTY: Rights = [0x0200000000000000n, 0x0400000000000000n];
const hex = (rights: Rights): string => Buffer.from(packRights(rights)).toString('hex');

test('each name is the value of the header, in its word', () => {
  for (const [name, text] of HEADER) {
    const value = BigInt(`0x${text}`);
    const expected = [...EMPTY];
    expected[(value & EMPTY[0]) !== 0n ? 0 : 1] = value;
    assert.deepEqual(rightsOf([name]), expected, name);
  }
  const more = ['cap_extattr_get', 'cap_extattr_list', 'cap_extattr_set'];
  assert.deepEqual([...rightNames()].sort(), [...HEADER.map(([name]) => name), ...more].sort());
  for (const name of more) assert.deepEqual(rightsOf([name]), rightsOf([name.slice(4)]));
});

test('the bytes of cap_rights_t: two words, the lowest byte first', () => {
  assert.equal(hex(rightsOf([])!), '00000000000000020000000000000004');
  assert.equal(hex(rightsOf(['read', 'write', 'seek'])!), '0f000000000000020000000000000004');
  assert.equal(hex(rightsOf(['pread', 'event'])!), '0d000000000000022000000000000004');
  assert.equal(hex(rightsOf(['renameat_target', 'kqueue'])!), '00040000000400024000100000000004');
  const rights = rightsOf(['mmap_rwx', 'acl_set'])!;
  assert.deepEqual(unpackRights(packRights(rights)), rights);
  const within = new Uint8Array(20);
  within.set(packRights(rights), 3);
  assert.deepEqual(unpackRights(within.subarray(3, 19)), rights);
});

test('some contain others, and are without them', () => {
  const files = rightsOf(['pread', 'fstatat', 'event'])!;
  assert.ok(contains(files, rightsOf(['read', 'lookup'])!));
  assert.ok(contains(files, rightsOf([])!));
  assert.ok(!contains(files, rightsOf(['write'])!));
  assert.ok(!contains(files, rightsOf(['ioctl'])!));
  assert.deepEqual(without(files, rightsOf(['read', 'event'])!), rightsOf(['seek', 'fstatat']));
  assert.deepEqual(without(files, files), EMPTY);
});

test('a name that there is not, and none of an object', () => {
  for (const name of ['', 'READ', 'cap_read', 'constructor', '__proto__', 'toString'])
    assert.equal(rightsOf(['read', name]), undefined, name);
});

test('commands of fcntl(2) are bits by their numbers', () => {
  assert.deepEqual(FCNTL_RIGHTS, { getfl: 1 << 3, setfl: 1 << 4, getown: 1 << 5, setown: 1 << 6 });
});
