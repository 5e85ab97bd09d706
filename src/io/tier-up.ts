/**
 * What V8 compiles of what we run: it takes a function that has been called often for one that will be. The compiler of a
 * long program is over before the code is there that V8's threads make of it, and main thread and memory have paid for that.
 * So while it runs V8 waits ten times as long with Maglev, and for ever with TurboFan; loops it enters as ever.
 */

import { nativeAvailable } from '../sys/native.ts';
import { setV8Flags } from '../sys/v8.ts';

/** Flags that bin/perilune gives, and what they are then; those of another Node, or of somebody who knows better, are left alone. */
const COUNTS = {
  '--invocation-count-for-maglev=400': '--invocation-count-for-maglev=4000',
  '--invocation-count-for-turbofan=3000': '--invocation-count-for-turbofan=100000',
  '--invocation-count-for-osr=500': '--invocation-count-for-osr=100000',
};
// What has been given once is given for V8, whatever it is: the number by which it knows its flags is afterwards what it was.
const USUAL = Object.keys(COUNTS).join(' ');
const PATIENT = Object.values(COUNTS).join(' ');

let isPossible: boolean | undefined;

/** Run what is over soon, and will hardly be run again. */
export function withPatientV8<T>(run: () => T): T {
  isPossible ??=
    Object.keys(COUNTS).every((flag) => process.execArgv.includes(flag)) && nativeAvailable();
  if (!isPossible || !setV8Flags(PATIENT)) return run();
  try {
    return run();
  } finally {
    setV8Flags(USUAL);
  }
}
