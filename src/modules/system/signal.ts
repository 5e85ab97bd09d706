/** `system.signal`: constants, `raise`, dispositions, and sets of signals to wait for. */
import { constants } from 'node:os';
import { begin, end, writeCount } from '../../actors/fiber-io.ts';
import { tracing } from '../../actors/trace.ts';
import { currentVm } from '../../actors/vm.ts';
import { closeWithOwner } from '../../io/descriptor.ts';
import { dispose, SignalSet } from '../../io/signals.ts';
import { checkInteger } from '../../runtime/check.ts';
import { badArgument, codeError, coreError, systemError } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../../runtime/value.ts';
import { EBUSY, SysError } from '../../sys/errno.ts';
import {
  DISPOSITION_DEFAULT,
  DISPOSITION_IGNORE,
  dispositionOf,
  LAST_SIGNAL,
  raiseSignal,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGSTOP,
  SIGURG,
  SIGWINCH,
} from '../../sys/signal.ts';
import { luaType, Template } from '../define.ts';
import { checkMaster, forMaster, needAddon, withAddon } from './part.ts';

const NAMES = [
  ...['SIGABRT', 'SIGFPE', 'SIGILL', 'SIGINT', 'SIGSEGV', 'SIGTERM', 'SIGALRM', 'SIGBUS'],
  ...['SIGCHLD', 'SIGCONT', 'SIGHUP', 'SIGIO', 'SIGKILL', 'SIGPIPE', 'SIGPROF', 'SIGQUIT'],
  ...['SIGSTOP', 'SIGSYS', 'SIGTRAP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGUSR1'],
  ...['SIGUSR2', 'SIGVTALRM', 'SIGWINCH', 'SIGXCPU', 'SIGXFSZ', 'SIGBREAK'],
] as const;

/** Those that this system has. */
const numbers = Object.fromEntries(
  NAMES.flatMap((name) => {
    const number = (constants.signals as Record<string, number | undefined>)[name];
    return number === undefined ? [] : [[name, number]];
  }),
);

class Signals extends Userdata {
  readonly io: SignalSet;
  constructor() {
    super();
    this.io = new SignalSet(currentVm().io);
    closeWithOwner(this, this.io);
  }
}

/** A signal that can't be waited for: the system's EINVAL, with the position. */
function add(set: SignalSet, signal: LuaValue, position: number): void {
  if (typeof signal !== 'number') throw badArgument(position);
  try {
    set.add(signal);
  } catch (error) {
    throw error instanceof SysError ? systemError(error.errno, { arg: position }) : error;
  }
}

function newSet(...signals: LuaValue[]): Signals {
  const set = new Signals();
  try {
    signals.forEach((signal, i) => add(set.io, signal, i + 1));
  } catch (error) {
    set.io.close();
    throw error;
  }
  return set;
}

luaType('system.signal.set', Signals, {
  methods: {
    wait(self) {
      const op = begin();
      op.owner = self;
      return end(op, self.io.wait(op), writeCount);
    },
    add(self, signal: LuaValue) {
      checkMaster();
      add(self.io, signal, 2);
      return NONE;
    },
    remove(self, signal: LuaValue) {
      if (typeof signal !== 'number') throw badArgument(2);
      self.io.remove(signal);
      return NONE;
    },
    clear(self) {
      self.io.clear();
      return NONE;
    },
    cancel(self) {
      self.io.cancel();
      return NONE;
    },
  },
});

const NO_EFFECT = new Set([SIGCONT, SIGCHLD, SIGURG, SIGWINCH]);

/** Other VMs may not end the process. */
function checkMayRaise(signal: number): void {
  if (currentVm().isMaster) return;
  if (signal === SIGKILL || signal === SIGSTOP) throw codeError('EPERM');
  const isSignal = signal > 0 && signal <= LAST_SIGNAL;
  if (NO_EFFECT.has(signal) || !isSignal) return;
  if (dispositionOf(signal) === DISPOSITION_DEFAULT) throw codeError('EPERM');
}

function raise(v: LuaValue): Result {
  const signal = checkInteger(v, 1, 'raise');
  checkMayRaise(signal);
  currentVm().host.flush(); // it may be the end
  tracing.on?.flush();
  const ret = raiseSignal((signal | 0) === signal ? signal : -1);
  if (ret !== 0) throw coreError('raise_error', { ret });
  return NONE;
}

const disposeAs = (name: string, disposition: number) =>
  forMaster(
    withAddon((v) => {
      const signal = checkInteger(v, 1, name);
      try {
        dispose(signal, disposition);
      } catch (error) {
        if (error instanceof SysError && error.errno === EBUSY) throw codeError('EPERM');
        throw error;
      }
      return NONE;
    }),
  );

/** A plain table, one for each VM. */
export const signalTables = new Template({
  ...numbers,
  raise: withAddon(raise),
  default: disposeAs('default', DISPOSITION_DEFAULT),
  ignore: disposeAs('ignore', DISPOSITION_IGNORE),
  set: {
    new: forMaster((...signals) => {
      needAddon();
      return newSet(...signals);
    }),
  },
});
