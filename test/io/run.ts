/** Apart from support.ts, whose node:test would touch the standard streams of programs/. */
import { Operation, PENDING } from '../../src/io/operation.ts';

/** Start an operation and wait for its result. */
export function run(start: (op: Operation) => number): Promise<number> {
  return new Promise((resolve) => {
    const op = new Operation(resolve);
    const result = start(op);
    if (result !== PENDING) resolve(result);
  });
}
