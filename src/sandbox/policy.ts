/** What a program may ask of the process of an actor. */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../sys/supervisor.ts';

/** Options of `subprocess` that are a namespace each: clone(2). */
export const NAMESPACES: Readonly<Record<string, number>> = {
  newns_user: CLONE_NEWUSER,
  newns_mount: CLONE_NEWNS,
  newns_pid: CLONE_NEWPID,
  newns_net: CLONE_NEWNET,
  newns_uts: CLONE_NEWUTS,
  newns_ipc: CLONE_NEWIPC,
};

/** All that there are, in a sandbox. */
export const ALL_NAMESPACES = Object.values(NAMESPACES).reduce(
  (all, one) => all | one,
  CLONE_NEWCGROUP,
);
