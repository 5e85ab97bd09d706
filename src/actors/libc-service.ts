/**
 * A pair of libc_service: the master answers calls of the C library that are made in the process which has the slave. The classes
 * are here, and not in their module, since `spawn_vm` and `system.spawn` take slaves.
 */
import { closeWithOwner } from '../io/descriptor.ts';
import type { IoGroup } from '../io/group.ts';
import { type Gate, type ServiceEnd, type SlaveEnd, servicePair } from '../io/libc-service.ts';
import type { Call } from '../io/libc-service-protocol.ts';
import { codeError } from '../runtime/error-code.ts';
import { Userdata } from '../runtime/value.ts';
import { mayReceive, noteDescriptors } from './descriptor-garbage.ts';

export class ServiceMaster extends Userdata {
  readonly io: ServiceEnd;

  constructor(io: ServiceEnd) {
    super();
    this.io = io;
    closeWithOwner(this, io);
  }
}

export class ServiceSlave extends Userdata {
  readonly filters = new Map<Call, string>();
  private readonly io: SlaveEnd;

  constructor(io: SlaveEnd) {
    super();
    this.io = io;
    closeWithOwner(this, io);
  }

  get isUsable(): boolean {
    return this.io.isOpen;
  }

  /**
   * Let a process have it: nobody else can, from then on.
   * @param start  is given its socket; if it throws, the slave is as it was
   */
  give<T>(start: (socket: number) => T): T {
    return this.io.give(this.filters, start);
  }
}

const GATE: Gate = { open: mayReceive, passed: noteDescriptors };

/** @throws SysError  EMFILE */
export function newService(group: IoGroup): readonly [ServiceMaster, ServiceSlave] {
  const [master, slave] = servicePair(group, GATE);
  return [new ServiceMaster(master), new ServiceSlave(slave)];
}

/** @throws LuaError  EBUSY{arg}: it has been given away */
export function usableSlave(slave: ServiceSlave, arg: string): ServiceSlave {
  if (!slave.isUsable) throw codeError('EBUSY', { arg });
  return slave;
}
