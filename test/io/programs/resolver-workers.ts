/**
 * Workers that end while look-ups of theirs are waiting, running and done.
 *   resolver-workers.ts PORT      of a name server that knows four.test, and is silent about silent.test
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { lookup } from '../../../src/io/resolver.ts';
import { useNameServer } from '../../../src/sys/fault.ts';

const query = (host: string) =>
  ({ host, service: '80', family: 4, transport: 'tcp', flags: 0 }) as const;

if (isMainThread) {
  useNameServer(Number(process.argv[2]));
  for (let round = 0; round < 12; round++) {
    const worker = new Worker(import.meta.filename, { workerData: round });
    await new Promise((resolve) => worker.on('exit', resolve));
  }
  const result = await new Promise((resolve) => lookup(query('four.test'), resolve));
  process.stdout.write(`${JSON.stringify(result).includes('192,0,2,4') || 'wrong'}\n`);
} else {
  const round = workerData as number;
  // More than there are threads, so that some wait.
  const cancels = Array.from({ length: 4 }, () => lookup(query('silent.test'), () => {}));
  for (let i = 0; i < 20; i++) {
    lookup(query('four.test'), () => {
      if (round % 3 === 0) setImmediate(() => process.exit());
    });
  }
  if (round % 3 === 1) process.exit();
  if (round % 3 === 2) {
    for (const cancel of cancels) cancel();
    setImmediate(() => process.exit());
  }
}
