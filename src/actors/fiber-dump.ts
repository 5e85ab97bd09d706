/** What a person is shown of fibers: all of one VM, with their Lua stacks and what each waits for. */
import { Fiber, type Origin } from '../fibers/fiber.ts';
import type { Scheduler } from '../fibers/scheduler.ts';
import type { LuaThread } from '../runtime/coroutine.ts';
import type { SitePosition } from '../runtime/error.ts';
import { addressOf } from '../runtime/ops.ts';

/** Frames of one fiber that are printed. */
const MAX_FRAMES = 20;

/** Fibers that are described one by one; of the others is said how many wait where. */
const MAX_FIBERS = 200;
/** Places that are named then. */
const MAX_PLACES = 20;

/** `file:line: in function 'name'`, as tracebacks have it. */
export function describePosition({ script, line, functionIndex }: SitePosition): string {
  const fn = script.functions[functionIndex];
  const where =
    fn === undefined || fn.line === 0
      ? 'main chunk'
      : fn.name === ''
        ? `function <${script.chunkName}:${fn.line}>`
        : `function '${fn.name}'`;
  return `${script.chunkName}:${line}: in ${where}`;
}

/** Who started a fiber, and who started that one. */
export function describeOrigin(origin: Origin | undefined): string {
  let text = '';
  for (let o = origin; o !== undefined; o = o.before) {
    text += `\nspawned by fiber 0x${o.by.toString(16)}`;
    if (o.at !== undefined) text += `:\n\t${describePosition(o.at)}`;
  }
  return text;
}

/** What a fiber waits for. */
export function describeWait(fiber: Fiber): string {
  const { waiter } = fiber;
  if (waiter === undefined || waiter.settled) return fiber.state;
  const target = waiter.waitsFor;
  if (target === undefined) return 'waits for a timer or a descriptor';
  if (target instanceof Fiber) return `waits for fiber 0x${target.id.toString(16)}`;
  return `waits for ${String(target.luaType.name)} ${addressOf(target)}`;
}

/** What it waits for, without saying which one. */
function waitKind({ waiter, state }: Fiber): string {
  if (waiter === undefined || waiter.settled) return state === 'waiting' ? 'wait' : `are ${state}`;
  const target = waiter.waitsFor;
  if (target === undefined) return 'wait for a timer or a descriptor';
  return `wait for a ${target instanceof Fiber ? 'fiber' : String(target.luaType.name)}`;
}

const innermost = (fiber: Fiber): string => {
  const [position] = positionsOf(fiber.thread);
  return position === undefined ? '' : ` at ${position.script.chunkName}:${position.line}`;
};

/** So many fibers one by one, the others by what they wait for, and where. */
function describeEach(fibers: readonly Fiber[], one: (fiber: Fiber) => string): string {
  let text = '';
  for (const fiber of fibers.slice(0, MAX_FIBERS)) text += one(fiber);
  const places = new Map<string, number>();
  for (const fiber of fibers.slice(MAX_FIBERS)) {
    const place = `${waitKind(fiber)}${innermost(fiber)}`;
    places.set(place, (places.get(place) ?? 0) + 1);
  }
  const sorted = [...places].sort(([, a], [, b]) => b - a);
  for (const [place, count] of sorted.slice(0, MAX_PLACES)) text += `\t${count} more ${place}\n`;
  const rest = sorted.slice(MAX_PLACES).reduce((sum, [, count]) => sum + count, 0);
  return rest === 0 ? text : `${text}\t${rest} more\n`;
}

/** Where these fibers wait that nobody can wake, and for what. */
export function describeDeadlock(fibers: readonly Fiber[]): string {
  return describeEach(
    fibers,
    (fiber) => `\tfiber 0x${fiber.id.toString(16)} ${describeWait(fiber)}${innermost(fiber)}\n`,
  );
}

/** Positions of a suspended thread, innermost first, those of the coroutine it is in before its own. */
export function positionsOf(thread: LuaThread): SitePosition[] {
  const positions = thread.inner === undefined ? [] : positionsOf(thread.inner);
  for (let i = thread.stack.length - 1; i >= 0; i--) {
    const { position } = thread.stack[i]![0] as { position?: SitePosition };
    if (position !== undefined) positions.push(position);
  }
  return positions;
}

function describeFiber(fiber: Fiber): string {
  const flags = [
    fiber.isRoot ? 'main' : fiber.isModule ? 'module' : '',
    fiber.interruptRequested ? 'interruption requested' : '',
    fiber.detached ? 'detached' : '',
  ].filter((flag) => flag !== '');
  let text = `fiber 0x${fiber.id.toString(16)}${flags.length > 0 ? ` (${flags.join(', ')})` : ''} ${describeWait(fiber)}\n`;
  const positions = positionsOf(fiber.thread);
  for (const position of positions.slice(0, MAX_FRAMES))
    text += `\t${describePosition(position)}\n`;
  if (positions.length > MAX_FRAMES) text += `\t... ${positions.length - MAX_FRAMES} more\n`;
  const { origin } = fiber;
  if (origin?.at !== undefined)
    text += `\tspawned at ${describePosition(origin.at)}, by fiber 0x${origin.by.toString(16)}\n`;
  return text;
}

/** All fibers of the VM with this id. */
export function describeFibers(id: number, scheduler: Scheduler): string {
  const fibers = [...scheduler.alive];
  const title = `VM 0x${id.toString(16)}: ${fibers.length} fiber${fibers.length === 1 ? '' : 's'}\n`;
  return title + describeEach(fibers, describeFiber);
}
