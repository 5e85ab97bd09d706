/** Why there are no sandboxes here, for tests that need them to be skipped with. */
import { spawnSync } from 'node:child_process';
import { availableWalls } from '../../src/sandbox/apply.ts';
import { nativeFailure } from '../../src/sys/native.ts';

/** @returns undefined where there are */
export function noNamespaces(): string | undefined {
  return spawnSync('unshare', ['-Urmnpui', 'true']).status === 0
    ? undefined
    : 'the kernel gives no namespaces here';
}

/** @returns undefined where there are. Landlock and seccomp, too. */
export function noSandboxes(): string | undefined {
  if (nativeFailure() !== undefined) return nativeFailure();
  if (availableWalls().size < 3) return 'the kernel has no Landlock or seccomp';
  return noNamespaces();
}
