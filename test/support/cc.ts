/** The system's C compiler, for tests of C that no addon has. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const cc = process.env.CC ?? 'cc';

/** Why tests that need a compiler are skipped; false: they are not. */
export const noCompiler: string | false = spawnSync(cc, ['--version']).error
  ? `there is no C compiler (${cc})`
  : false;

export function compile(args: readonly string[]): void {
  execFileSync(cc, args, { stdio: ['ignore', 'inherit', 'inherit'], timeout: 300_000 });
}

/** The flags, if programs can be made and run with them. */
export function ifSupported(flags: readonly string[]): readonly string[] {
  if (noCompiler) return [];
  const folder = mkdtempSync(join(tmpdir(), 'perilune-cc-'));
  try {
    const source = join(folder, 'empty.c');
    const program = join(folder, 'empty');
    writeFileSync(source, 'int main(void) { return 0; }\n');
    const made = spawnSync(cc, [...flags, source, '-o', program]).status === 0;
    return made && spawnSync(program, { timeout: 300_000 }).status === 0 ? flags : [];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
