/** Where and with what a benchmark ran: numbers mean nothing without it. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from './measure.ts';

/** The path of an installed program. */
export function installed(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // the next folder
    }
  }
  return undefined;
}

/** What is measured; its results don't make it another. */
export function commit(): string {
  const others = ['.', ':!bench/RESULTS.md', ':!bench/results.json'];
  const { status } = spawnSync('git', ['diff', '--quiet', 'HEAD', '--', ...others], { cwd: root });
  return `${firstLine('git', 'describe', '--always')}${status === 0 ? '' : '-dirty'}`;
}

export function machine(): string[] {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GB`;
  return [
    `machine: ${availableParallelism()} cores of ${model}, ${memory}, Linux ${release()}`,
    `Node ${process.version}, V8 ${process.versions.v8}`,
    `beside it: ${peers().join('; ')}`,
  ];
}

function peers(): string[] {
  const packages = ['lua-luv', 'lua-cqueues', 'lua-cjson', 'erlang-base'];
  const [luv = '', cqueues = '', cjson = '', erlang = ''] = packages.map((name) =>
    installed('dpkg-query') ? firstLine('dpkg-query', '-W', '-f', `${name} \${Version}`, name) : '',
  );
  return [
    firstLine('luajit', '-v').replace(/ -- .*/, ''),
    firstLine('lua5.1', '-v').replace(/ {2}.*/, ''),
    luv,
    cqueues,
    cjson,
    erlang,
    firstLine('mawk', '-W', 'version').replace(/,.*/, ''),
    firstLine('gawk', '--version').replace(/,.*/, ''),
    firstLine(process.env['CC'] ?? 'cc', '--version'),
  ].filter((text) => text !== '');
}

/** What a program says first, on either output; '' where it isn't installed. */
function firstLine(command: string, ...args: string[]): string {
  const run = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (run.error || run.status !== 0) return '';
  return `${run.stdout}${run.stderr}`.split('\n')[0]?.trim() ?? '';
}

/** One-minute load average: a busy machine makes wall times worthless, and CPU times worse. */
export const load = (): string => readFileSync('/proc/loadavg', 'utf8').split(' ')[0] ?? '';
