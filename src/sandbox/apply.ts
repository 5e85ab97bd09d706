/** Puts walls up: each step of a plan is one call. What fails stops it. */
import { getLimits, setLimits } from '../sys/rlimit.ts';
import {
  dropCapabilities,
  emptyRoot,
  landlockAbi,
  landlockRestrictAll,
  newSession,
  seccompAvailable,
  seccompSetModeFilter,
  setNoNewPrivs,
} from '../sys/walls.ts';
import { architectureOf } from './architectures.ts';
import { encode } from './bpf.ts';
import type { Resource, Step, Wall } from './plan.ts';
import { computeProfile, serviceProfile } from './profiles.ts';
import { compile, DENY } from './seccomp.ts';

const RLIMITS: Readonly<Record<Resource, number>> = {
  cpu: 0,
  memory: 2, // RLIMIT_DATA: V8 reserves too much address space for RLIMIT_AS
  core: 4,
  processes: 6,
  files: 7,
  locked: 8,
  addresses: 9,
  queues: 12,
};

const unreachable = (step: never): never => {
  throw new Error(`no step: ${JSON.stringify(step)}`);
};

/** Bytes that a process has from its supervisor: they are no part of its limits. */
const inherited: Partial<Record<Resource, number>> = {};
/** @param memory  that can be written. @param addresses  all that are taken */
export function noteInherited(memory: number, addresses: number): void {
  inherited.memory = memory;
  inherited.addresses = addresses;
}

/** Since Linux 5.14; from 5.19 on this version of Landlock says that it is new enough. */
const countsByNamespace = (): boolean => landlockAbi() >= 2;

function apply(step: Step): void {
  switch (step.do) {
    case 'empty_root':
      return emptyRoot();
    case 'new_session':
      return newSession();
    case 'limit': {
      const { resource } = step;
      // Or others of the same user would count, and there might be none left at all.
      if (resource === 'processes' && !countsByNamespace()) return;
      const { hard } = getLimits(RLIMITS[resource]); // which may be lower already
      const most = Math.min(step.most + (inherited[resource] ?? 0), hard);
      return setLimits(RLIMITS[resource], { soft: most, hard: most });
    }
    case 'no_new_privs':
      return setNoNewPrivs();
    case 'drop_capabilities':
      return dropCapabilities();
    case 'landlock':
      return restrictAll(landlockAbi());
    case 'seccomp':
      return seccompSetModeFilter(computeFilter(step.jitless, step.sockets));
    case 'filter':
      return seccompSetModeFilter(Uint8Array.from(step.program, (c) => c.charCodeAt(0)));
    default:
      return unreachable(step);
  }
}

/** @throws SysError  of the step that can't be done */
export function applyAll(steps: readonly Step[]): void {
  for (const step of steps) apply(step);
}

/** The filter for this machine; that of most sandboxes is made once, before any fork. */
const filters = new Map<string, Uint8Array>();
export function computeFilter(jitless: boolean, sockets = false): Uint8Array {
  const key = `${jitless} ${sockets}`;
  let filter = filters.get(key);
  if (filter === undefined) {
    const rules = sockets ? serviceProfile(jitless) : computeProfile(jitless);
    filter = encode(compile(rules, DENY, architectureOf(process.arch)));
    filters.set(key, filter);
  }
  return filter;
}

/** Bits that each version of Landlock has added. landlock(7) */
const FILE_ACCESS: readonly [abi: number, bits: number][] = [
  [1, 0x1fff], // EXECUTE … MAKE_SYM
  [2, 0x2000], // REFER
  [3, 0x4000], // TRUNCATE
  [5, 0x8000], // IOCTL_DEV
];
const NET = 0x3; // BIND_TCP, CONNECT_TCP, from 4 on
const SCOPES = 0x3; // ABSTRACT_UNIX_SOCKET, SIGNAL, from 6 on

function restrictAll(abi: number): void {
  let files = 0;
  for (const [since, bits] of FILE_ACCESS) if (abi >= since) files |= bits;
  landlockRestrictAll(files, abi >= 4 ? NET : 0, abi >= 6 ? SCOPES : 0);
}

/** What the running kernel can give; whether it gives namespaces is seen when it is asked. */
export function availableWalls(): Set<Wall> {
  const walls = new Set<Wall>(['namespaces']);
  if (landlockAbi() > 0) walls.add('landlock');
  if (seccompAvailable()) walls.add('seccomp');
  return walls;
}
