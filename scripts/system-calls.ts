/**
 * Writes src/sandbox/system-calls.ts: the numbers of all system calls, read with a C compiler from the kernel's headers
 * (Debian: linux-libc-dev). aarch64 has the generic table.
 *
 *   node scripts/system-calls.ts
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The same on all architectures, and newer than Debian's headers: arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.18. */
const NEWER: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
};

/** What arch/arm64/include/uapi/asm/unistd.h defines before it includes the generic table. */
const ARM64 = [
  '__BITS_PER_LONG=64',
  '__ARCH_WANT_RENAMEAT',
  '__ARCH_WANT_NEW_STAT',
  '__ARCH_WANT_SET_GET_RLIMIT',
  '__ARCH_WANT_TIME32_SYSCALLS',
  '__ARCH_WANT_SYS_CLONE3',
  '__ARCH_WANT_MEMFD_SECRET',
];

function numbersIn(header: string, defines: readonly string[]): Map<string, number> {
  const text = execFileSync(
    'cc',
    ['-E', '-dM', '-include', header, ...defines.map((d) => `-D${d}`), '-x', 'c', '/dev/null'],
    { encoding: 'utf8' },
  );
  const macros = new Map(
    [...text.matchAll(/^#define (__NR\w+) (\S+)$/gm)].map(([, name, value]) => [name!, value!]),
  );
  const numbers = new Map<string, number>();
  for (const name of macros.keys()) {
    let value = macros.get(name)!;
    while (macros.has(value)) value = macros.get(value)!;
    const call = /^__NR_(\w+)$/.exec(name)?.[1];
    const isCall = call !== undefined && !/^(syscalls|arch_specific_syscall)$/.test(call);
    if (isCall && /^\d+$/.test(value)) numbers.set(call, Number(value));
  }
  for (const [name, number] of Object.entries(NEWER)) numbers.set(name, number);
  return numbers;
}

const x64 = numbersIn('asm/unistd_64.h', []);
const arm64 = numbersIn('asm-generic/unistd.h', ARM64);
const names = [...new Set([...x64.keys(), ...arm64.keys()])];
const place = (name: string): number => x64.get(name) ?? 1000 + arm64.get(name)!;
names.sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));

const lines = names.map((name) => `${name} ${x64.get(name) ?? '-'} ${arm64.get(name) ?? '-'}`);
writeFileSync(
  join(import.meta.dirname, '..', 'src', 'sandbox', 'system-calls.ts'),
  `/**
 * Numbers of system calls, written by scripts/system-calls.ts from the kernel's headers. Don't edit.
 * A line: name, x86-64, aarch64; \`-\`: that architecture hasn't got it.
 */
export const NUMBERS = \`
${lines.join('\n')}
\`;
`,
);
