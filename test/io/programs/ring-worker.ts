/** A thread that ends while reads are in its ring, or that has none: see ../file.test.ts. */
import { openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { RandomAccessFile } from '../../../src/io/file.ts';
import { IoGroup } from '../../../src/io/group.ts';
import { readInRing } from '../../../src/io/uring.ts';
import { EAGAIN, EPERM } from '../../../src/sys/errno.ts';
import { injectFault } from '../../../src/sys/fault.ts';
import { pipe2 } from '../../../src/sys/fd.ts';
import { run } from '../run.ts';

if (workerData === 'pending') {
  const { readEnd } = pipe2(0);
  let started = 0;
  for (let i = 0; i < 300; i++) if (readInRing(readEnd, 4096, -1, false, () => {})) started++;
  parentPort!.postMessage(started);
} else {
  injectFault('io_uring_setup', { errno: EPERM });
  injectFault('preadv2', { errno: EAGAIN, times: 1 });
  const file = new RandomAccessFile(new IoGroup());
  file.assign(openSync(import.meta.filename, 'r'));
  const bytes = new Uint8Array(10);
  const result = await run((op) => file.readAt(op, 4, bytes, 0, 10));
  parentPort!.postMessage([result, Buffer.from(bytes).toString('latin1')]);
  file.close();
}
