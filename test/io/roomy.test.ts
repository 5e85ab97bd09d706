/** Long files are read whole, and errors are those of readFileSync. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readLatin1, roomyBytes } from '../../src/io/roomy.ts';

const folder = mkdtempSync(join(tmpdir(), 'perilune-roomy-'));
after(() => rmSync(folder, { recursive: true }));

test('the bytes have the size that was asked for', () => {
  for (const size of [0, 1, 4096, 600_000, 3_000_000]) assert.equal(roomyBytes(size).length, size);
});

test('files of all sizes are read to their end, byte by byte', () => {
  for (const size of [0, 1, 5000, 524_287, 524_288, 700_001, 2_097_152, 2_500_000]) {
    const file = join(folder, `${size}`);
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 255));
    writeFileSync(file, bytes);
    const text = readLatin1(file);
    assert.equal(text.length, size);
    assert.ok(text === bytes.toString('latin1'));
  }
});

test('one that grows is read to where it ends then', () => {
  const file = join(folder, 'growing');
  writeFileSync(file, Buffer.alloc(600_000, 'a'));
  const { fstatSync } = process.getBuiltinModule('node:fs');
  const fs = process.getBuiltinModule('node:fs');
  // Between the question for its size and the first read.
  fs.fstatSync = ((...args: Parameters<typeof fstatSync>) => {
    const stat = fstatSync(...args);
    fs.fstatSync = fstatSync;
    process.getBuiltinModule('node:module').syncBuiltinESMExports();
    appendFileSync(file, Buffer.alloc(1000, 'b'));
    return stat;
  }) as typeof fstatSync;
  process.getBuiltinModule('node:module').syncBuiltinESMExports();
  const text = readLatin1(file);
  assert.equal(text.length, 601_000);
  assert.ok(text.endsWith('ab'.padEnd(1001, 'b')));
});

test('what has no size, a pipe, is read, too', () => {
  const script = `import { readLatin1 } from ${JSON.stringify(join(import.meta.dirname, '../../src/io/roomy.ts'))};
    process.stdout.write(String(readLatin1('/dev/stdin').length));`;
  const piped = 'head -c 900000 /dev/zero | "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', piped, process.execPath, script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.deepEqual([stdout, stderr], ['900000', '']);
});

test('errors are those of readFileSync, and nothing stays open', () => {
  const codeOf = (read: () => unknown): unknown => {
    try {
      read();
    } catch (error) {
      return [(error as NodeJS.ErrnoException).code, (error as NodeJS.ErrnoException).errno];
    }
    return undefined;
  };
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = process.platform === 'linux' ? open() : 0;
  for (const path of [folder, join(folder, 'missing'), join(folder, '0', 'below')]) {
    const expected = codeOf(() => readFileSync(path));
    assert.ok(expected);
    assert.deepEqual(
      codeOf(() => readLatin1(path)),
      expected,
    );
  }
  if (process.platform === 'linux') assert.equal(open(), before);
});
