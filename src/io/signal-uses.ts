/**
 * Which signals a program has a use of its own for; what the runtime does with them by default it does
 * with the others only. In a file of its own, since every program comes by here.
 */
const taken = new Set<number>();
const whenFree = new Map<number, (() => void)[]>();

export function takeSignal(signal: number): void {
  taken.add(signal);
}

export function freeSignal(signal: number): void {
  taken.delete(signal);
  const told = whenFree.get(signal) ?? [];
  whenFree.delete(signal);
  for (const then of told) then();
}

/** Call `then`, now or when the program has no use for the signal any more. */
export function onceSignalIsFree(signal: number, then: () => void): void {
  if (!taken.has(signal)) return then();
  whenFree.set(signal, [...(whenFree.get(signal) ?? []), then]);
}
