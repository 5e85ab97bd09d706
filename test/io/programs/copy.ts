/** Copies standard input to standard output, and says how it went on standard error. */
import { backend } from '../../../src/io/backend.ts';
import { nodeBackend } from '../../../src/io/node-backend.ts';
import { run } from '../run.ts';

const io = process.argv[2] === 'node' ? nodeBackend : backend();
const [input, output, error] = [io.standardStream(0), io.standardStream(1), io.standardStream(2)];
const bytes = Buffer.alloc(65536);
let total = 0;
let result = 0;
copy: for (;;) {
  result = await run((op) => input.read(op, bytes, 0, bytes.length));
  if (result <= 0) break;
  const length = result;
  for (let at = 0; at < length; at += result) {
    result = await run((op) => output.write(op, bytes, at, length - at));
    if (result < 0) break copy;
    total += result;
  }
}
const report = Buffer.from(`${total} ${result}\n`);
await run((op) => error.write(op, report, 0, report.length));
