/** Limits that a machine with more to do doesn't change. */
import { readFileSync } from 'node:fs';

/** Milliseconds between looks. */
const LOOK_EVERY = 200;

/** Seconds of CPU time that a process has used, of all its threads; proc_pid_stat(5). 0 where it has ended. */
function cpuSeconds(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return 0;
  }
  const fields = stat.replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/**
 * Call `over`, once, when a process has used so many more seconds of CPU time.
 * @returns stop looking
 */
export function limitCpuTime(pid: number, seconds: number, over: () => void): () => void {
  const most = cpuSeconds(pid) + seconds;
  const looks = setInterval(() => {
    if (cpuSeconds(pid) <= most) return;
    clearInterval(looks);
    over();
  }, LOOK_EVERY);
  return () => clearInterval(looks);
}
