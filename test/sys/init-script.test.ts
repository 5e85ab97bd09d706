/** The native side of init.script by itself: pointers that lie outside of the memory, and wiping out of turn. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { initScriptBegin, initScriptWipe } from '../../src/sys/init-script.ts';
import { native, nativeFailure } from '../../src/sys/native.ts';

const skip = nativeFailure() ?? false;
const EFAULT = 14;
const ENOSYS = 38;
const SIZE = 65536;
const ARGUMENTS = 8;

/** Each call's signature, in the order of their numbers. */
function signatures(): { name: string; signature: string }[] {
  const header = fileURLToPath(new URL('../../native/init-script/host.h', import.meta.url));
  const list = readFileSync(header, 'utf8').matchAll(/X\((\w+), "(\w*)"\)/g);
  return [...list].map(([, name, signature]) => ({ name: name!, signature: signature! }));
}

/** Begin deeper in the stack than what wipes. */
function begin(memory: ArrayBuffer, depth = 200): void {
  if (depth > 0) begin(memory, depth - 1);
  else initScriptBegin(memory);
}

test('no call reads or writes outside of the memory', { skip }, () => {
  const memory = new ArrayBuffer(SIZE);
  const bytes = new Uint8Array(memory).fill(0xff); // nowhere a NUL
  const args = new BigInt64Array(memory, 64, ARGUMENTS);
  begin(memory);
  const calls = signatures();
  assert.ok(calls.length > 70);
  let tried = 0;
  for (const [number, { name, signature }] of calls.entries()) {
    for (const [i, kind] of [...signature].entries()) {
      if (!'sSbB'.includes(kind)) continue;
      for (const bad of [
        -1n,
        -4096n,
        BigInt(SIZE),
        BigInt(SIZE) + 1n,
        1n << 40n,
        1n << 62n,
        256n,
      ]) {
        // Everything else is harmless: text in the memory, no bytes, descriptor -1.
        args.fill(-1n);
        bytes.set([0x78, 0], 32);
        for (const [k, other] of [...signature].entries()) {
          if ('sSbB'.includes(other)) args[k] = 32n;
          if (other === 'n') args[k] = 0n;
        }
        args[i] = bad;
        if ('bB'.includes(kind)) args[i + 1] = BigInt(SIZE);
        assert.equal(native().init_script_call(number, 64), -EFAULT, `${name} ${i} ${bad}`);
        tried++;
      }
    }
  }
  assert.ok(tried > 300);
  for (const at of [0, -1, SIZE - 8, SIZE, 0x7fffffff])
    assert.equal(native().init_script_call(4, at), -EFAULT);
  for (const number of [-1, calls.length, 1 << 30])
    assert.equal(native().init_script_call(number, 64), -ENOSYS);
  args.fill(1n << 40n); // no int
  assert.equal(
    native().init_script_call(
      calls.findIndex(({ name }) => name === 'DUP'),
      64,
    ),
    -EFAULT,
  );
  initScriptWipe();
  assert.ok(
    bytes.every((byte) => byte === 0),
    'all of it is zero',
  );
  assert.equal(native().init_script_call(1, 64), -EFAULT, 'no script, no memory');
});

test('wiping needs a script that began, and deeper in the stack', { skip }, () => {
  assert.throws(() => initScriptWipe(), /EINVAL/);
  initScriptBegin(new ArrayBuffer(SIZE));
  assert.throws(() => initScriptWipe(), /EFAULT/);
  assert.throws(() => initScriptWipe(), /EINVAL/);
  begin(new ArrayBuffer(SIZE));
  initScriptWipe();
});

test('other threads can not: their stacks are something else', { skip }, async () => {
  const module = new URL('../../src/sys/init-script.ts', import.meta.url).href;
  const worker = new Worker(
    `import('${module}').then(({ initScriptBegin }) => {
      let why = 'none';
      try { initScriptBegin(new ArrayBuffer(65536)); } catch (error) { why = error.message; }
      require('node:worker_threads').parentPort.postMessage(why);
    });`,
    { eval: true },
  );
  const why = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  assert.match(String(why), /EOPNOTSUPP|ENOTSUP/);
});
