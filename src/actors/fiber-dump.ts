/** What a person is shown of fibers: all of one VM, with their Lua stacks and what each waits for. */
import { Fiber, type Origin } from '../fibers/fiber.ts';
import type { Scheduler } from '../fibers/scheduler.ts';
import type { LuaThread } from '../runtime/coroutine.ts';
import type { SitePosition } from '../runtime/error.ts';
import { addressOf } from '../runtime/ops.ts';

/** Frames of one fiber that are printed. */
const MAX_FRAMES = 20;

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

/** Positions of a suspended thread, innermost first, those of the coroutine it is in before its own. */
export function positionsOf(thread: LuaThread): SitePosition[] {
  const positions = thread.inner === undefined ? [] : positionsOf(thread.inner);
  for (let i = thread.stack.length - 1; i >= 0; i--) {
    const { position } = thread.stack[i]![0] as { position?: SitePosition };
    if (position !== undefined) positions.push(position);
  }
  return positions;
}

/** All fibers of the VM with this id. */
export function describeFibers(id: number, scheduler: Scheduler): string {
  const fibers = [...scheduler.alive];
  let text = `VM 0x${id.toString(16)}: ${fibers.length} fiber${fibers.length === 1 ? '' : 's'}\n`;
  for (const fiber of fibers) {
    const flags = [
      fiber.isRoot ? 'main' : fiber.isModule ? 'module' : '',
      fiber.interruptRequested ? 'interruption requested' : '',
      fiber.detached ? 'detached' : '',
    ].filter((flag) => flag !== '');
    text += `fiber 0x${fiber.id.toString(16)}${flags.length > 0 ? ` (${flags.join(', ')})` : ''} ${describeWait(fiber)}\n`;
    const positions = positionsOf(fiber.thread);
    for (const position of positions.slice(0, MAX_FRAMES))
      text += `\t${describePosition(position)}\n`;
    if (positions.length > MAX_FRAMES) text += `\t... ${positions.length - MAX_FRAMES} more\n`;
    const { origin } = fiber;
    if (origin?.at !== undefined)
      text += `\tspawned at ${describePosition(origin.at)}, by fiber 0x${origin.by.toString(16)}\n`;
  }
  return text;
}
