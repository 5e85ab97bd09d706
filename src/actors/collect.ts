/** V8's collector, called by name. */
import { createContext, runInNewContext, Script } from 'node:vm';
import { forgetTraversals } from '../runtime/table.ts';

let collectNow: (() => void) | undefined;

/** A complete collection; weak references are cleared when it returns. */
export function fullCollection(): void {
  forgetTraversals();
  if (collectNow === undefined) {
    // Loaded when it is wanted: it brings Node's streams along, which cost a quarter of the time to start.
    process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const context = createContext({}, { microtaskMode: 'afterEvaluate' });
    const nothing = new Script('0');
    collectNow = () => {
      nothing.runInContext(context);
      gc();
    };
  }
  collectNow();
}
