/**
 * A loop that a bell keeps alive while it rests, as those of threads that wait for messages. Prints how often it has rested
 * inside, and how often it has ended.
 */
import { onRest } from '../../../src/io/reactor.ts';
import { BellListener, makeBell, ring } from '../../../src/io/wakeup.ts';

const [most, holds] = process.argv.slice(2).map(Number) as [number, number];
let rests = 0;
let ends = 0;
const bell = makeBell();
/** The first turns of the loop look, and do not wait. */
let turns = 20;
const listener = new BellListener(bell, () => {
  if (turns-- > 0) ring(bell);
  else listener.release();
});
onRest(() => {
  rests++;
  if (rests > most) return false;
  if (holds) listener.hold();
  if (holds) ring(bell);
  return true;
});
process.on('beforeExit', () => ends++);
process.on('exit', () => console.log(`${rests} ${ends}`));
listener.hold();
ring(bell);
