/** `system.spawn`: starting programs; and the handles of their processes. */
import { begin, end, raise } from '../../actors/fiber-io.ts';
import { FileDescriptor } from '../../actors/file-descriptor.ts';
import { ServiceSlave, usableSlave } from '../../actors/libc-service.ts';
import { FilePath } from '../../actors/modules.ts';
import { filterBytes } from '../../actors/seccomp-filter.ts';
import { currentVm } from '../../actors/vm.ts';
import { closeWithOwner } from '../../io/descriptor.ts';
import { type Changed, Child } from '../../io/process.ts';
import { checkInt32 } from '../../runtime/check.ts';
import type { LuaError } from '../../runtime/error.ts';
import { badArgument, codeError, systemError } from '../../runtime/error-code.ts';
import { entries, LuaTable, rawGet, rawGetString, rawLength } from '../../runtime/table.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../../runtime/value.ts';
import { EBUSY, ECHILD } from '../../sys/errno.ts';
import { getLimits, RLIMIT_STACK, RLIMITS } from '../../sys/rlimit.ts';
import { LAST_SIGNAL, SIGTERM } from '../../sys/signal.ts';
import {
  type Limit,
  SCHED_POLICIES,
  SCHED_RESET_ON_FORK,
  SpawnError,
  type SpawnPlan,
  STREAM_CLOSED_PIPE,
  STREAM_SHARE,
} from '../../sys/spawn.ts';
import { luaType } from '../define.ts';
import { checkIds } from './identity.ts';
import { needAddon, toLua } from './part.ts';
import { capabilitiesOf } from './rights.ts';

// ── options ────────────────────────────────────────────────────────────────────────────────────────

/** The table, and how each kind of option is read: EINVAL{arg = its name} for one of another kind. */
class SpawnOptions {
  private readonly table: LuaTable;
  /** What stands before the names in errors. */
  readonly prefix: string;

  constructor(table: LuaTable, prefix = '') {
    this.table = table;
    this.prefix = prefix;
  }

  get(name: string): LuaValue {
    return rawGetString(this.table, name);
  }

  bad(name: string): LuaError {
    return badArgument(this.prefix + name);
  }

  boolean(name: string): boolean {
    const v = this.get(name);
    if (v !== undefined && typeof v !== 'boolean') throw this.bad(name);
    return v ?? false;
  }

  integer(name: string, least: number, most: number): number | undefined {
    const v = this.get(name);
    if (v === undefined) return undefined;
    if (typeof v !== 'number' || !Number.isInteger(v) || v < least || v > most) {
      throw this.bad(name);
    }
    return v;
  }

  sub(name: string): SpawnOptions | undefined {
    const v = this.get(name);
    if (v === undefined) return undefined;
    if (!(v instanceof LuaTable)) throw this.bad(name);
    return new SpawnOptions(v, `${this.prefix}${name}.`);
  }

  /** Text for the kernel, which ends at a NUL. */
  text(v: LuaValue, name: string): string {
    if (typeof v !== 'string' || v.includes('\0')) throw this.bad(name);
    return v;
  }

  fdOf(v: LuaValue, name: string): number {
    if (!(v instanceof FileDescriptor)) throw this.bad(name);
    if (!v.isUsable) throw codeError('EBUSY', { arg: this.prefix + name });
    return v.fd;
  }

  fd(name: string): number | undefined {
    const v = this.get(name);
    return v === undefined ? undefined : this.fdOf(v, name);
  }

  /** A path as bytes, or a descriptor. */
  pathOrFd(name: string): string | number | undefined {
    const v = this.get(name);
    if (v instanceof FilePath) return this.text(v.path, name);
    return v === undefined ? undefined : this.fdOf(v, name);
  }
}

/** As execvp(3) has it where PATH is not set. */
const STANDARD_PATH = '/bin:/usr/bin';

function searched(name: string): string[] {
  if (name === '') return [];
  if (name.includes('/')) return [name];
  const path = process.env['PATH'];
  return (path === undefined ? STANDARD_PATH : toLua(path))
    .split(':')
    .map((directory) => (directory === '' ? name : `${directory}/${name}`));
}

function program(o: SpawnOptions): Pick<SpawnPlan, 'program' | 'asExecvp'> {
  const v = o.get('program');
  if (typeof v === 'string') return { program: searched(o.text(v, 'program')), asExecvp: true };
  const given = o.pathOrFd('program');
  if (given === undefined) throw o.bad('program');
  return { program: typeof given === 'string' ? [given] : given, asExecvp: false };
}

function argumentList(o: SpawnOptions): string[] {
  const v = o.get('arguments');
  if (v === undefined) return [];
  if (!(v instanceof LuaTable)) throw o.bad('arguments');
  const texts: string[] = [];
  for (let i = 1; i <= rawLength(v); i++) texts.push(o.text(rawGet(v, i), 'arguments'));
  return texts;
}

/** The value that stands for the child's pid; and room for its digits. */
const PID_VALUE = '\0pid';
const PID_ROOM = '0'.repeat(10);

function environmentOf(o: SpawnOptions): Pick<SpawnPlan, 'environment' | 'pidVariable'> {
  const v = o.get('environment');
  if (v === undefined) return { environment: [] };
  if (!(v instanceof LuaTable)) throw o.bad('environment');
  const environment: string[] = [];
  let pidVariable: number | undefined;
  for (const [name, value] of entries(v)) {
    if (o.text(name, 'environment').includes('=')) throw o.bad('environment');
    if (value === PID_VALUE) {
      if (pidVariable !== undefined) throw o.bad('environment');
      pidVariable = environment.push(`${name}=${PID_ROOM}`) - 1;
    } else environment.push(`${name}=${o.text(value, 'environment')}`);
  }
  return { environment, ...(pidVariable !== undefined && { pidVariable }) };
}

const STREAMS = ['stdin', 'stdout', 'stderr'] as const;
const LAST_EXTRA = 9;

function streams(o: SpawnOptions, extra: readonly LuaValue[]): number[] {
  const numbers = STREAMS.map((name) => {
    const v = o.get(name);
    if (v === 'share') return STREAM_SHARE;
    return v === undefined ? STREAM_CLOSED_PIPE : o.fdOf(v, name);
  });
  for (const v of extra) {
    const isThere = v !== undefined && !(v instanceof ServiceSlave);
    numbers.push(isThere ? o.fdOf(v, 'extra_fds') : STREAM_SHARE);
  }
  return numbers;
}

/** From the first after the standard streams on. */
function extraFds(o: SpawnOptions): LuaValue[] {
  const extra = o.get('extra_fds');
  if (extra === undefined) return Array.from({ length: LAST_EXTRA + 1 - STREAMS.length });
  if (!(extra instanceof LuaTable)) throw o.bad('extra_fds');
  const list: LuaValue[] = [];
  for (let i = STREAMS.length; i <= LAST_EXTRA; i++) list.push(rawGet(extra, i));
  return list;
}

type Placed = readonly [slave: ServiceSlave, number: number];

/** Slaves of libc_service, and their places. */
function slaves(o: SpawnOptions, extra: readonly LuaValue[]): Placed[] {
  return extra.flatMap((v, i): Placed[] => {
    if (!(v instanceof ServiceSlave)) return [];
    return [[usableSlave(v, `${o.prefix}extra_fds`), STREAMS.length + i]];
  });
}

/** A program that has them: they are gone from here, unless it can't be started. */
function startWith<T>(given: readonly Placed[], plan: SpawnPlan, start: (plan: SpawnPlan) => T): T {
  const [first, ...others] = given;
  if (first === undefined) return start(plan);
  const [slave, number] = first;
  return slave.give((socket) => {
    const streams = plan.streams.with(number, socket);
    return startWith(others, { ...plan, streams }, start);
  });
}

const MOST_PRIORITY = 99;

function scheduler(o: SpawnOptions): SpawnPlan['scheduler'] {
  const s = o.sub('scheduler');
  if (s === undefined) return undefined;
  const name = s.get('policy');
  const resets = s.boolean('reset_on_fork');
  if (name === undefined && s.get('priority') === undefined && !resets) return undefined;
  if (typeof name !== 'string' || !Object.hasOwn(SCHED_POLICIES, name)) throw s.bad('policy');
  const isRealTime = name === 'fifo' || name === 'rr';
  const priority = s.integer('priority', isRealTime ? 1 : 0, isRealTime ? MOST_PRIORITY : 0);
  if (isRealTime && priority === undefined) throw s.bad('priority');
  const policy = SCHED_POLICIES[name]! | (resets ? SCHED_RESET_ON_FORK : 0);
  return { policy, priority: priority ?? 0 };
}

function terminal(o: SpawnOptions): Pick<SpawnPlan, 'controllingTerminal' | 'foreground'> {
  const controllingTerminal = o.fd('set_ctty');
  const v = o.get('foreground');
  if (controllingTerminal !== undefined) {
    if (v !== undefined) throw o.bad('set_ctty/foreground');
    if (!o.boolean('start_new_session')) throw o.bad('set_ctty');
    return { controllingTerminal };
  }
  if (v === undefined) return {};
  if (o.get('process_group') === undefined) throw o.bad('foreground');
  const stream = STREAMS.indexOf(v as (typeof STREAMS)[number]);
  if (stream < 0) return { foreground: o.fdOf(v, 'foreground') };
  if (o.get(STREAMS[stream]!) !== 'share') throw o.bad('foreground');
  return { foreground: stream };
}

/** What bin/perilune raises the limit to for itself; and what the kernel starts with. */
const OUR_STACK = 2 ** 28;
const USUAL_STACK = 2 ** 23;

function limits(o: SpawnOptions): Limit[] {
  const list: Limit[] = [];
  const v = o.get('rlimits');
  if (v !== undefined && !(v instanceof LuaTable)) throw o.bad('rlimits');
  for (const [name, value] of v === undefined ? [] : entries(v)) {
    if (typeof name !== 'string' || !Object.hasOwn(RLIMITS, name)) throw o.bad('rlimits');
    const [soft, hard] =
      value instanceof LuaTable ? [rawGet(value, 1), rawGet(value, 2)] : [value, value];
    if (!isLimit(soft) || !isLimit(hard)) throw o.bad(`rlimits.${name}`);
    list.push({ resource: RLIMITS[name]!, soft, hard });
  }
  if (!list.some(({ resource }) => resource === RLIMIT_STACK)) {
    const { soft, hard } = getLimits(RLIMIT_STACK);
    if (soft === OUR_STACK) list.push({ resource: RLIMIT_STACK, soft: USUAL_STACK, hard });
  }
  return list;
}

const isLimit = (v: LuaValue): v is number => typeof v === 'number' && v >= 0;

const MOST_ID = 0xfffffffe;
const MOST_PID = 0x7fffffff;
function filter(o: SpawnOptions): Uint8Array | undefined {
  const v = o.get('seccomp_set_mode_filter');
  return v === undefined ? undefined : filterBytes(v, `${o.prefix}seccomp_set_mode_filter`);
}

/** The name of today, or that of 0.6. */
function namespace(o: SpawnOptions, name: string): number | undefined {
  return o.fd(`setns_${name}`) ?? o.fd(`nsenter_${name}`);
}

function planFrom(o: SpawnOptions, extra: readonly LuaValue[]): SpawnPlan {
  const given = {
    scheduler: scheduler(o),
    processGroup: o.integer('process_group', 0, MOST_PID),
    ruid: o.integer('ruid', 0, MOST_ID),
    euid: o.integer('euid', 0, MOST_ID),
    rgid: o.integer('rgid', 0, MOST_ID),
    egid: o.integer('egid', 0, MOST_ID),
    groups: o.get('extra_groups') && checkIds(o.get('extra_groups'), 'extra_groups'),
    umask: o.integer('umask', 0, 0o777),
    deathSignal: o.integer('pdeathsig', 0, LAST_SIGNAL),
    directory: o.pathOrFd('working_directory'),
    ruleset: o.fd('landlock_restrict_self'),
    filter: filter(o),
  };
  return {
    ...program(o),
    arguments: argumentList(o),
    ...environmentOf(o),
    streams: streams(o, extra),
    newSession: o.boolean('start_new_session'),
    ...terminal(o),
    namespaces: ['user', 'mount', 'uts', 'ipc', 'net'].map((name) => namespace(o, name)),
    noNewPrivs: o.boolean('set_no_new_privs'),
    limits: limits(o),
    ...(given as Partial<SpawnPlan>),
  };
}

/** The option that couldn't be had, where one of several could be meant. */
function optionOf(step: string, o: SpawnOptions): string {
  const isGiven = (name: string): boolean => o.get(name) !== undefined;
  if (step === 'uid') return isGiven('euid') ? 'euid' : 'ruid';
  if (step === 'gid') return isGiven('egid') ? 'egid' : 'rgid';
  const old = step.replace('setns_', 'nsenter_');
  return isGiven(old) && !isGiven(step) ? old : step;
}

export function spawn(v: LuaValue): Subprocess {
  if (!(v instanceof LuaTable)) throw badArgument(1);
  needAddon();
  const o = new SpawnOptions(v);
  // FreeBSD's process descriptors.
  if (o.boolean('pd_daemon')) throw codeError('ENOTSUP', { arg: 'pd_daemon' });
  const lastSignal = o.integer('signal_on_gcreaper', 0, LAST_SIGNAL) ?? SIGTERM;
  const extra = extraFds(o);
  const plan = planFrom(o, extra);
  const given = slaves(o, extra);
  const vm = currentVm();
  vm.host.flush(); // what it prints comes after what was printed before
  try {
    const child = startWith(given, plan, (whole) => Child.start(whole, vm.io, lastSignal));
    return new Subprocess(child);
  } catch (error) {
    if (!(error instanceof SpawnError) || error.step === 'clone') throw error;
    throw systemError(error.errno, { arg: optionOf(error.step, o) });
  }
}

// ── the handle ─────────────────────────────────────────────────────────────────────────────────────

export class Subprocess extends Userdata {
  readonly io: Child;
  constructor(io: Child) {
    super();
    this.io = io;
    closeWithOwner(this, io);
  }
}

function statusOf(self: Subprocess): { code: number; signal: number | undefined } {
  const { code, signal } = self.io.status ?? {};
  if (code === undefined) throw codeError('EINVAL');
  return { code, signal };
}

/** It has been waited for, or is just now: that is no affair of the kernel's. */
function notWaited(result: number): never {
  if (result === -ECHILD) throw codeError('ECHILD');
  if (result === -EBUSY) throw codeError('EBUSY');
  return raise(result);
}

function mustRun(self: Subprocess): void {
  if (self.io.status !== undefined) throw codeError('ESRCH');
}

luaType('subprocess', Subprocess, {
  methods: {
    wait(self) {
      const op = begin();
      op.owner = self;
      return end(op, self.io.wait(op), (result): Result => {
        self.io.settle();
        if (result < 0) notWaited(result);
        return NONE;
      });
    },
    wait_change(self) {
      const op = begin();
      op.owner = self;
      return end(op, self.io.waitChange(op), (result, value): Result => {
        if (result < 0) notWaited(result);
        const { what, number } = value as Changed;
        return [what, number];
      });
    },
    kill(self, signal: LuaValue) {
      const number = checkInt32(signal, 2, 'kill');
      mustRun(self);
      self.io.kill(number);
      return NONE;
    },
    cap_get(self) {
      mustRun(self);
      return capabilitiesOf(self.io.pid);
    },
  },
  properties: {
    exit_code: (self) => statusOf(self).code,
    exit_signal: (self) => statusOf(self).signal,
    pid: (self) => (self.io.status === undefined ? self.io.pid : undefined),
  },
});
