/** What the parts of the node backend share: errors and addresses of Node's, and who waits for its objects. */
import { EIO, errnoNumber, SysError } from '../sys/errno.ts';
import { parseAddress } from './address.ts';
import type { IpEndpoint } from './endpoint.ts';
import { type Operation, OperationQueue, PENDING } from './operation.ts';

/** Numbers of Windows differ, names don't. */
export function errnoOf(error: unknown): number {
  return errnoNumber(String((error as NodeJS.ErrnoException).code)) ?? EIO;
}

export const raise = (syscall: string, errno: number): never => {
  throw new SysError(syscall, errno);
};

export function endpointOf(address?: string, port?: number): IpEndpoint | undefined {
  const parsed = address === undefined ? undefined : parseAddress(address);
  return parsed === undefined ? undefined : { address: parsed, port: port ?? 0 };
}

/** What keeps the process alive while an operation waits, and only then. */
interface Referenced {
  ref?(): unknown;
  unref?(): unknown;
}

/** Operations that wait for one of Node's objects. */
export class NodeQueue extends OperationQueue {
  private readonly keep: () => Referenced | undefined;

  constructor(keep: () => Referenced | undefined) {
    super();
    this.keep = keep;
  }

  override push(op: Operation): void {
    if (this.head === null) this.keep()?.ref?.();
    super.push(op);
  }

  override remove(op: Operation): void {
    super.remove(op);
    if (this.head === null) this.keep()?.unref?.();
  }

  /** Complete the oldest ones for as long as `attempt` has a result. */
  drain(attempt: (op: Operation) => number): void {
    while (this.head !== null) {
      const op = this.head;
      const result = attempt(op);
      if (result === PENDING) return;
      this.remove(op);
      op.finish(result);
    }
  }
}
