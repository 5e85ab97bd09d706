/**
 * For the bundle: modules that `src/modules/all.ts` marks are evaluated when a program requires them, or
 * calls their function, not at start-up. A module is named as its file.
 */
import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

const MARKED = /^import \{ (\w+) \} from '\.\/(\w+)\.ts'; \/\/ when it is required$/gm;

const FUNCTIONS = /^import \{ ([\w, ]+) \} from '\.\/(\w+)\.ts'; \/\/ when it is called$/gm;

export function deferModules(source: string): string {
  return source
    .replace(
      MARKED,
      "const $1 = { name: '$2', create: (vm: Vm) => require('./$2.ts').$1.create(vm) };",
    )
    .replace(FUNCTIONS, (_, names: string, file: string) =>
      names
        .split(', ')
        .map(
          (name) => `const ${name} = (...args: any[]) => require('./${file}.ts').${name}(...args);`,
        )
        .join(' '),
    );
}

export const lazyModules: Plugin = {
  name: 'lazy-modules',
  setup({ onLoad }) {
    onLoad({ filter: /src\/modules\/all\.ts$/ }, ({ path }) => ({
      contents: deferModules(readFileSync(path, 'utf8')),
      loader: 'ts',
    }));
  },
};
