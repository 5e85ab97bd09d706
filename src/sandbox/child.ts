/**
 * The process of an actor, between its fork and the first line of the program: namespaces are there already.
 * The order is: init.script, PID 1, walls, event loop. What fails ends the process.
 */

import { exitNow } from '../sys/exit.ts';
import {
  allowSignals,
  CLONE_NEWPID,
  enterActor,
  forkFromInit,
  getpid,
  giveBackBytes,
  INBOX_FD,
  type Start,
  setEnvironment,
  supervise,
  type Task,
  takeTask,
  tellTouched,
} from '../sys/supervisor.ts';
import { applyAll } from './apply.ts';
import type { Plan } from './plan.ts';

export {
  allowSignals,
  exitNow,
  getpid,
  giveBackBytes,
  INBOX_FD,
  type Start,
  setEnvironment,
  supervise,
  type Task,
  takeTask,
  tellTouched,
};

/**
 * Become the actor. The one place between the namespaces and the walls is `init`: it runs in a process that
 * no program's code has touched, in PID 1 where there is a namespace for it, with descriptors 0 to 3 and
 * `init.arg`; whatever it opens is closed afterwards. The event loop comes last, so that it gets no more from
 * the kernel than the walls allow.
 */
export function becomeActor({ cloneFlags }: Start, init: () => void, walls: Plan): void {
  init();
  applyAll(walls.both);
  if ((cloneFlags & CLONE_NEWPID) !== 0) forkFromInit();
  applyAll(walls.actor);
  enterActor();
}
