/** Walls around a process, as data: which, and in which order. */

export type Step =
  | { readonly do: 'empty_root' }
  | { readonly do: 'new_session' }
  | { readonly do: 'limit'; readonly resource: Resource; readonly most: number }
  | { readonly do: 'no_new_privs' }
  | { readonly do: 'drop_capabilities' }
  /** All that the running kernel's Landlock knows. */
  | { readonly do: 'landlock' }
  /** `sockets`: there may be some, for somebody else to connect and bind. */
  | { readonly do: 'seccomp'; readonly jitless: boolean; readonly sockets?: boolean }
  /** An array of struct sock_filter, a byte a code unit. */
  | { readonly do: 'filter'; readonly program: string };

export type Resource =
  | 'core'
  | 'files'
  | 'memory'
  | 'addresses'
  | 'cpu'
  | 'locked'
  | 'queues'
  /** Threads count as processes; in a user namespace of its own only those of the sandbox, PID 1 included. */
  | 'processes';

/** What the kernel may have to offer, or not. */
export type Wall = 'namespaces' | 'landlock' | 'seccomp';

/** How much the process may have. */
export interface Limits {
  /** Bytes of Lua's values; beside them the process needs as many as BESIDE_THE_HEAP. */
  readonly memory: number;
  /** Seconds of CPU time; undefined: any */
  readonly cpu: number | undefined;
  /** Open descriptors. */
  readonly files: number;
}

/** With less V8 can't begin. */
export const LEAST_MEMORY = 2 ** 24;

/** New objects, code, buffers of byte_span. */
const BESIDE_THE_HEAP = 2 ** 28;

/** Addresses cost tables of pages, that no limit of memory counts; a memory of WebAssembly takes 10 GB of addresses. */
const BESIDE_THE_ADDRESSES = 2 ** 34;

/**
 * Each takes memory of the kernel's, a number of which there are 32,768 for the whole machine, and holds what it waits
 * for. An actor has one, and four for what would block it.
 */
const MOST_THREADS = 32;

export const DEFAULT_LIMITS: Limits = { memory: 2 ** 30, cpu: undefined, files: 256 };

/** Steps before PID 1 and the actor part, which both are bound by; and those of the actor alone. */
export interface Plan {
  readonly both: readonly Step[];
  readonly actor: readonly Step[];
}

/**
 * Everything: what is left is memory, and what is open.
 * @param filter      in place of the profile `compute`
 * @param hasService  calls that need ambient authority are answered by somebody else
 */
export function planInbox(
  walls: ReadonlySet<Wall>,
  limits: Limits,
  jitless: boolean,
  filter?: string,
  hasService = false,
): Plan {
  const both: Step[] = [
    { do: 'limit', resource: 'core', most: 0 },
    { do: 'limit', resource: 'locked', most: 0 },
    { do: 'limit', resource: 'queues', most: 0 },
  ];
  if (walls.has('namespaces')) both.unshift({ do: 'empty_root' });
  both.push({ do: 'no_new_privs' }, { do: 'drop_capabilities' });
  if (walls.has('landlock')) both.push({ do: 'landlock' });
  const memory = limits.memory + BESIDE_THE_HEAP;
  // PID 1 stays in the session of its maker: what a terminal sends to that it passes on.
  const actor: Step[] = [
    { do: 'new_session' },
    { do: 'limit', resource: 'files', most: limits.files },
    { do: 'limit', resource: 'memory', most: memory },
    { do: 'limit', resource: 'addresses', most: memory + BESIDE_THE_ADDRESSES },
  ];
  if (walls.has('namespaces'))
    actor.push({ do: 'limit', resource: 'processes', most: MOST_THREADS });
  if (limits.cpu !== undefined) actor.push({ do: 'limit', resource: 'cpu', most: limits.cpu });
  // Without a network namespace of its own, a socket is one of the host's.
  const sockets = hasService && walls.has('namespaces');
  if (walls.has('seccomp'))
    actor.push(
      filter === undefined
        ? { do: 'seccomp', jitless, ...(sockets && { sockets }) }
        : { do: 'filter', program: filter },
    );
  return { both, actor };
}

export const NO_WALLS: Plan = { both: [], actor: [] };

/** A process with the rights of its maker, but for these calls. */
export const planFiltered = (filter: string): Plan => ({
  both: [],
  actor: [{ do: 'no_new_privs' }, { do: 'filter', program: filter }],
});
