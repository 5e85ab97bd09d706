/** Capabilities of files: their form on the disk, and what Lua sees. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { useRing } from '../../src/io/uring.ts';
import { LinuxCapabilities } from '../../src/runtime/capabilities.ts';
import { packCapabilities, unpackCapabilities } from '../../src/runtime/file-capabilities.ts';
import { openReactor } from '../support/faulty.ts';
import { ON_DISK } from '../support/on-disk.ts';
import { runLua, spec } from '../support/spec.ts';

await openReactor();
useRing(true);

const set = (values: Partial<LinuxCapabilities>): LinuxCapabilities =>
  Object.assign(new LinuxCapabilities(), values);
const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex');

test('the attribute has the form of linux/capability.h', () => {
  // What setcap(8) writes for cap_net_raw=ep, and for cap_chown=i of a namespace whose root is user 1000.
  const ping = set({ permitted: 1n << 13n, effective: 1n << 13n });
  assert.equal(hex(packCapabilities(ping)), '0100000200200000000000000000000000000000');
  const mine = set({ inheritable: 1n, namespaceOwner: 1000 });
  assert.equal(hex(packCapabilities(mine)), '0000000300000000010000000000000000000000e8030000');
  const far = set({ permitted: 1n << 40n });
  assert.equal(hex(packCapabilities(far)), '0000000200000000000000000001000000000000');
  for (const one of [ping, mine, far]) {
    assert.deepEqual(unpackCapabilities(packCapabilities(one)!), one);
  }
});

test('some in effect and others not: that is no form a file can have', () => {
  assert.equal(packCapabilities(set({ permitted: 3n, effective: 1n })), undefined);
});

test('what is no such attribute is not taken for one', () => {
  for (const bytes of [
    '',
    '01',
    '00000002',
    '00000004'.padEnd(40, '0'),
    '00000002'.padEnd(48, '0'),
  ]) {
    assert.equal(unpackCapabilities(Buffer.from(bytes, 'hex')), undefined);
  }
  assert.deepEqual(
    unpackCapabilities(Buffer.from('000000010100000002000000', 'hex')),
    set({ permitted: 1n, inheritable: 2n }),
  );
});

spec(
  'files without capabilities, and wrong arguments',
  `${ON_DISK}
  local system = require 'system'
  make('f')
  local caps = system.cap_from_text('cap_net_raw=ep')
  print(try(fs.cap_get_file, dir / 'f'):match '^No data available %(system%) nil')
  print(try(fs.cap_get_file, dir / 'none'), try(fs.cap_set_file, dir / 'none', caps), try(fs.cap_set_file, dir, caps))
  print(try(fs.cap_get_file, 'x'), try(fs.cap_set_file, dir / 'f', 'cap_net_raw=ep'), try(fs.cap_set_file, 'x', caps))
  local fd = fs.open(dir / 'f', {'read_only'})
  print(try(fd.cap_get, fd):match '^No data available', try(fd.cap_set, fd, 1))
  fd:close()
`,
  `No data available (system) nil
No such file or directory (system) nil nil	No such file or directory (system) nil nil	Invalid argument (system) nil nil
Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=2	Invalid argument (generic) nil nil arg=1
No data available	Invalid argument (generic) nil nil arg=2
`,
);

test('capabilities are given to files and read from them', async (t) => {
  const outcome = await runLua(`${ON_DISK}
    local system = require 'system'
    make('f')
    local ok, e = pcall(fs.cap_set_file, dir / 'f', system.cap_from_text('cap_net_raw,cap_chown=ep'))
    if not ok then print('refused', e) return end
    print(fs.cap_get_file(dir / 'f'))
    local fd = fs.open(dir / 'f', {'read_only'})
    fd:cap_set(system.cap_from_text('cap_kill=i'))
    print(fd:cap_get(), fs.cap_get_file(dir / 'f'))
    local half = system.cap_from_text('cap_kill=ep cap_chown=p')
    print(pcall(fs.cap_set_file, dir / 'f', half))
    fs.copy_file(dir / 'f', dir / 'g', {preserve = 'all'})
    print(fs.cap_get_file(dir / 'g'))
    fd:close()
  `);
  assert.equal(outcome.stderr, '');
  if (outcome.stdout.startsWith('refused')) {
    t.skip(`this user, or file system: ${outcome.stdout.trim()}`);
    return;
  }
  assert.equal(
    outcome.stdout,
    'cap_chown,cap_net_raw=ep\ncap_kill=i\tcap_kill=i\nfalse\tInvalid argument\ncap_kill=i\n',
  );
});
