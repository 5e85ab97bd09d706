/** Threads for tests: from a bundle, since a thread that loads all of src/ takes ten times as long to come up. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { threadProgram } from '../../src/actors/threads/pool.ts';
import type { SpecOptions } from './spec.ts';

const root = join(import.meta.dirname, '../..');

/** Before the first thread of this process. */
export async function bundleThread(): Promise<void> {
  const outfile = join(root, `build/thread-${process.pid}.cjs`);
  process.on('exit', () => rmSync(outfile, { force: true }));
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/thread.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'esnext',
    define: {
      'import.meta.filename': '__filename',
      'import.meta.dirname': '__dirname',
      'import.meta.url': JSON.stringify(import.meta.url),
    },
    logLevel: 'warning',
  });
  threadProgram.file = outfile;
  threadProgram.sendsOutput = true;
}

const ELSEWHERE = `local here = spawn_vm local spawn_vm = function(o)
  if type(o) == 'string' then o = {module = o} end
  if type(o) == 'table' then o.inherit_context = false end
  return here(o)
end `.replaceAll('\n', ' ');

/** A program whose actors are each in a thread of its own. */
export function elsewhere(source: string, options: SpecOptions): [string, SpecOptions] {
  const files = Object.entries(options.files ?? {}).map(([name, text]) => [name, ELSEWHERE + text]);
  return [ELSEWHERE + source, { ...options, files: Object.fromEntries(files) }];
}
