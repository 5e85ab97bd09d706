/** Threads for tests: from a bundle, since a thread that loads all of src/ takes ten times as long to come up. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { threadProgram } from '../../src/actors/threads/pool.ts';

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
}
