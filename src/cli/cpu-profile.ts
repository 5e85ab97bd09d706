/**
 * `--cpu-prof`: V8's sampling profiler over the whole run, written as the `.cpuprofile` that Chrome DevTools and
 * VS Code open, in terms of Lua: emitted functions, their continuations too, are the program's functions.
 */
import { writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import { inspection } from '../actors/inspection.ts';
import { waitOutside } from '../io/reactor.ts';
import { SCRIPT_PREFIX, scriptNamed } from '../runtime/error.ts';
import type { Profile } from './arguments.ts';

/** @param failed  is told why nothing could be written */
export function profileCpu(options: Profile, failed: (why: string) => void): void {
  inspection.profiles = true;
  waitOutside();
  const { Session } = process.getBuiltinModule('node:inspector');
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  const { interval } = options;
  if (interval !== undefined) session.post('Profiler.setSamplingInterval', { interval });
  session.post('Profiler.start');
  // Servers have no other end.
  process.once('SIGINT', () => process.exit(130));
  process.once('exit', () => {
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) return failed(error.message);
      const file = join(options.dir ?? '.', options.name ?? defaultName());
      try {
        writeFileSync(file, JSON.stringify(toLua(result.profile)));
      } catch (thrown) {
        failed((thrown as Error).message);
      }
    });
  });
}

/** As Node names it. */
function defaultName(): string {
  const now = new Date();
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  return `CPU.${day}.${time}.${process.pid}.0.001.cpuprofile`;
}

type Node = Profiler.ProfileNode;

/** The same profile, of Lua functions. What becomes one function in one place is one node. */
export function toLua(profile: Profiler.Profile): Profiler.Profile {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const standsFor = new Map<number, number>();
  const nodes: Node[] = [];
  const add = (group: readonly Node[]): number => {
    const [first] = group as [Node];
    const node: Node = {
      id: first.id,
      callFrame: frameOf(first),
      hitCount: group.reduce((sum, { hitCount }) => sum + (hitCount ?? 0), 0),
      positionTicks: ticksOf(group),
    };
    for (const { id } of group) standsFor.set(id, node.id);
    nodes.push(node);
    const groups = new Map<string, Node[]>();
    for (const id of group.flatMap(({ children }) => children ?? [])) {
      const child = byId.get(id)!;
      const { functionName, url, lineNumber, columnNumber } = frameOf(child);
      const key = [functionName, url, lineNumber, columnNumber].join('\n');
      const same = groups.get(key);
      if (same === undefined) groups.set(key, [child]);
      else same.push(child);
    }
    node.children = [...groups.values()].map(add);
    return node.id;
  };
  const root = profile.nodes[0];
  if (root !== undefined) add([root]);
  return { ...profile, nodes, samples: profile.samples?.map((id) => standsFor.get(id)!) ?? [] };
}

/** Where it is in Lua; what emitted text has besides is the runtime's. */
function frameOf({ callFrame }: Node): Node['callFrame'] {
  const { functionName, url } = callFrame;
  const script = url.startsWith(SCRIPT_PREFIX) ? scriptNamed(url) : undefined;
  if (script === undefined) return callFrame;
  const index = /\$f(\d+)$/.exec(functionName)?.[1];
  const func = index === undefined ? undefined : script.functions[Number(index)];
  return {
    ...callFrame,
    functionName: func === undefined ? '(runtime)' : func.name || '(anonymous)',
    url: script.url ?? script.chunkName,
    lineNumber: func === undefined ? -1 : Math.max(func.line - 1, 0),
    columnNumber: func === undefined ? -1 : 0,
  };
}

/** Samples by line, from 1. */
function ticksOf(group: readonly Node[]): Profiler.PositionTickInfo[] {
  const ticks = new Map<number, number>();
  for (const { callFrame, positionTicks } of group) {
    const { url } = callFrame;
    const script = url.startsWith(SCRIPT_PREFIX) ? scriptNamed(url) : undefined;
    for (const { line, ticks: n } of positionTicks ?? []) {
      const lua = script === undefined ? line : (script.lines[line] ?? 0);
      if (lua > 0) ticks.set(lua, (ticks.get(lua) ?? 0) + n);
    }
  }
  return [...ticks].map(([line, n]) => ({ line, ticks: n }));
}
