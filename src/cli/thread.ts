/** A thread of its own for VMs: started by actors/threads/pool.ts, with the memory that all threads share. */
import { workerData } from 'node:worker_threads';
import { setArguments } from '../actors/program.ts';
import { settle } from '../actors/settle.ts';
import {
  joinThreads,
  type ThreadData,
  tellBug,
  tellExitCode,
  tellPrint,
  tellReport,
} from '../actors/threads/pool.ts';
import { tracing } from '../actors/trace.ts';
import type { Vm, VmHost } from '../actors/vm.ts';
import { onceReaped } from '../io/reaping.ts';
import { library } from '../modules/all.ts';
import { exitNow } from '../sys/exit.ts';
import { reportSettings } from './environment.ts';
import { reportTo, reportTrace, StandardOutput } from './output.ts';

/** sysexits(3): an internal software error. */
const EX_SOFTWARE = 70;

const data = workerData as ThreadData;
const output = new StandardOutput();
const siblings = new Set<Vm>();

const host: VmHost = {
  report: data.sendsOutput ? tellReport : reportTo(output, reportSettings()),
  ended: (ended) => {
    output.flush();
    if (ended.isMaster) tellExitCode(ended.exitCode);
  },
  bug: (thrown) => {
    output.flush();
    tellBug(thrown instanceof Error ? (thrown.stack ?? String(thrown)) : String(thrown));
  },
  print: data.sendsOutput ? tellPrint : (text) => output.write(text),
  flush: () => output.flush(),
};
setArguments(data.arguments);
tracing.failed = reportTrace;
const endThread = process.exit.bind(process, 0);
joinThreads(data, { library, host, siblings, searchPath: data.searchPath }, () =>
  onceReaped(endThread),
);

// What fails until here ends the thread, and the main one says so.
process.on('uncaughtException', host.bug);
process.on('beforeExit', () => settle(siblings));
// To a program these are the end of the process.
process.exit = (code) => {
  const number = Number(code ?? 0);
  tracing.on?.end(number);
  return exitNow(number);
};
process.abort = () => {
  process.kill(process.pid, 'SIGABRT');
  return exitNow(EX_SOFTWARE);
};
