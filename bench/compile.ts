/** How long large programs take to compile, and to start once their compiled form is in the user's cache. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from './compile/generate.ts';
import { installed } from './machine.ts';
import { type Contender, compare, least, median, root, run } from './measure.ts';
import { goal, type Options, ratio, type Section, table } from './report.ts';

const SIZES = [16, 64, 256, 1024];

export function compilation(options: Options, progress: (line: string) => void): Section {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-bench-'));
  const { XDG_CACHE_HOME } = process.env;
  try {
    process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
    mkdirSync(process.env['XDG_CACHE_HOME'], { mode: 0o700 });
    return measure(folder, options, progress);
  } finally {
    if (XDG_CACHE_HOME === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = XDG_CACHE_HOME;
    rmSync(folder, { recursive: true });
  }
}

function measure(folder: string, options: Options, progress: (line: string) => void): Section {
  const empty = join(root, 'bench/engine/empty.lua');
  const contenders: Contender[] = [{ name: 'empty', command: [options.perilune, empty] }];
  const sizes = options.quick ? [64] : SIZES;
  const programs = sizes.map((size) => {
    const file = join(folder, `${size}.lua`);
    const text = generate(size * 1000);
    writeFileSync(file, text);
    const command = [options.perilune, file];
    run(command); // stores it
    contenders.push(
      { name: `${size} compiled`, command: [options.perilune, '--no-cache', file] },
      { name: `${size} found`, command },
    );
    if (installed('luajit')) contenders.push({ name: `${size} luajit`, command: ['luajit', file] });
    return { size, bytes: text.length };
  });
  progress(`${options.runs} runs each`);
  const results = compare(contenders, options.runs, { sameOutput: false });
  const walls = (name: string): number[] => (results.get(name) ?? []).map(({ wall }) => wall);
  const time = (name: string): string => {
    const times = walls(name).map((seconds) => seconds * 1000);
    return times.length === 0 ? '–' : `${least(times).toFixed(0)} (${median(times).toFixed(0)})`;
  };
  const start = least(walls('empty'));
  const { size, bytes } = programs.at(-1)!;
  const compiled = least(walls(`${size} compiled`));
  return {
    title: 'Compilation',
    text: [
      'A generated program, of which a little is run. Whole processes, wall time in ms: least (median). “Found” is the',
      `second start and later ones, from the user's cache. An empty program takes ${time('empty')}.\n`,
      table(
        ['program, KB', 'compiled', 'found', 'LuaJIT'],
        programs.map((program) => [
          (program.bytes / 1000).toFixed(0),
          time(`${program.size} compiled`),
          time(`${program.size} found`),
          time(`${program.size} luajit`),
        ]),
      ),
    ].join('\n'),
    goals: [
      goal(
        `compilation, ${size} KB`,
        '≥',
        5,
        bytes / 1e6 / (compiled - start),
        (rate) => `${rate.toFixed(1)} MB/s`,
      ),
      goal(
        `the same program: first start ÷ second`,
        '≥',
        3,
        compiled / least(walls(`${size} found`)),
        ratio,
      ),
    ],
  };
}
