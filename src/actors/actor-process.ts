/** The process of an actor, as the VM that has made it knows it. */
import type { Closable, IoGroup } from '../io/group.ts';
import { errnoMessage, SIGNALLED, type StartedProcess, signalName } from '../io/supervisor.ts';
import type { Reports } from './reports.ts';
import { type Death, tracing } from './trace.ts';

export class ActorProcess implements Closable {
  readonly pid: number;
  private readonly started: StartedProcess;
  private readonly group: IoGroup;
  /** For a trace: what it says. */
  private readonly reports: Reports | undefined;
  /** Its parent may still signal it. */
  supervised = true;
  /** How it has ended: its exit code, or SIGNALLED + a signal; or -errno: it could not begin. */
  private status: number | undefined = undefined;
  private readonly watchers = new Set<(reason: string | undefined) => void>();

  /** @param group  at whose end it is killed */
  constructor(started: StartedProcess, group: IoGroup, reports: Reports | undefined) {
    this.reports = reports;
    this.pid = started.pid;
    this.started = started;
    this.group = group;
    group.add(this);
    started.onEnd((status) => this.ended(status));
  }

  /** @throws SysError  ESRCH, EINVAL, EPERM */
  kill(signal: number): void {
    this.started.kill(signal);
  }

  /** It may outlive the VM. */
  detach(): void {
    this.supervised = false;
    this.group.delete(this);
    this.started.letGo();
  }

  /** The VM has ended. */
  close(): void {
    this.group.delete(this);
    this.started.killAtOnce();
    this.traceEnd('killed', 'its maker has ended');
  }

  onDeath(told: (reason: string | undefined) => void): void {
    if (this.status === undefined) this.watchers.add(told);
    else told(reasonOf(this.status));
  }

  private isTraced = false;

  private traceEnd(how: Death, reason: string | undefined, code?: number): void {
    if (this.isTraced) return;
    this.isTraced = true;
    this.reports?.finish();
    const trace = tracing.on;
    trace?.died(trace.actorOf(this), how, reason, { ...(code !== undefined && { code }) });
  }

  private ended(status: number): void {
    this.status = status;
    this.group.delete(this);
    const reason = reasonOf(status);
    const code = status >= 0 && status < SIGNALLED ? status : undefined;
    this.traceEnd(status >= SIGNALLED ? 'killed' : status === 0 ? 'ended' : 'error', reason, code);
    for (const told of this.watchers) told(reason);
    this.watchers.clear();
  }
}

function reasonOf(status: number): string | undefined {
  if (status < 0) return errnoMessage(-status);
  if (status >= SIGNALLED) return `killed by ${signalName(status - SIGNALLED)}`;
  return status === 0 ? undefined : `exit status ${status}`;
}
