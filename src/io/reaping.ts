/**
 * Whom the end of the process waits for. In a file of its own, since every program asks at its end, and
 * few have had children.
 */
const waitedFor = new Set<object>();
let whenNone: (() => void)[] = [];

export function startReaping(child: object): void {
  waitedFor.add(child);
}

export function isReaping(child: object): boolean {
  return waitedFor.has(child);
}

export function endReaping(child: object): void {
  waitedFor.delete(child);
  if (waitedFor.size > 0) return;
  const told = whenNone;
  whenNone = [];
  for (const then of told) then();
}

/** Call `then` as soon as no child is left that somebody has abandoned: now, perhaps. */
export function onceReaped(then: () => void): void {
  if (waitedFor.size === 0) then();
  else whenNone.push(then);
}
