/**
 * Who has to know that the process has given up rights. In a file of its own, since those who give them up
 * need not know who has copies of them.
 */
const listeners: (() => void)[] = [];

/** Call `told` after each change. */
export function onRightsChange(told: () => void): void {
  listeners.push(told);
}

/** The process has other ids, groups, capabilities or restrictions than before. */
export function rightsChanged(): void {
  for (const told of listeners) told();
}
