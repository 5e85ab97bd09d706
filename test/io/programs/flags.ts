/**
 * Writes, while a read of standard input is pending, whether descriptors 0 and 1 have O_NONBLOCK:
 * "0 0" when neither has.
 */
import { backend } from '../../../src/io/backend.ts';
import { Operation, PENDING } from '../../../src/io/operation.ts';
import { getStatusFlags, O_NONBLOCK } from '../../../src/sys/fd.ts';
import { run } from '../run.ts';

const [input, output] = [backend().standardStream(0), backend().standardStream(1)];
const op = new Operation(() => {});
const result = input.read(op, Buffer.alloc(1), 0, 1);
await run((writing) => output.write(writing, Buffer.from('-\n'), 0, 2));
const flags = [0, 1].map((fd) => getStatusFlags(fd) & O_NONBLOCK);
const line = Buffer.from(`${flags.join(' ')} ${result === PENDING}\n`);
await run((writing) => output.write(writing, line, 0, line.length));
op.cancel();
