/** The slave's side of libc_service: native/libc-service/client.c. */
import { ok } from './errno.ts';
import { builtBeside, type Fd, native } from './native.ts';

/** Calls of the addon that need ambient authority go through this socket from now on. EPROTO: it is none of a service */
export function beginService(fd: Fd): void {
  ok('service_begin', native().service_begin(fd));
  begun = true;
}

let begun = false;

/** Those of Node have to be made by the addon then. */
export const hasService = (): boolean => begun;

/** What LD_PRELOAD gives to other programs. */
export const preloadLibrary = (): string => builtBeside('libc_service', 'so');
