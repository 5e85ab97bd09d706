/** io/transport.ts over Node's own modules, for systems where the addon doesn't load. */
import { ENOSYS, SysError } from '../sys/errno.ts';
import type { Backend } from './transport.ts';

const missing = (what: string): never => {
  throw new SysError(what, ENOSYS);
};

export const nodeBackend: Backend = {
  name: 'node',
  tcpSocket: () => missing('socket'),
  tcpAcceptor: () => missing('socket'),
  standardStream: () => missing('read'),
};
