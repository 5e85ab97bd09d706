/** `perilune trace`: a trace of actors as a picture. */
import { writeFileSync } from 'node:fs';
import { toSystem } from '../actors/modules.ts';
import { isSystemFault, reasonOf } from '../actors/trace.ts';
import { drawFile, TraceError } from '../actors/trace-diagram.ts';
import type { Invocation } from './arguments.ts';
import { StandardOutput, writeError } from './output.ts';

export function drawTrace({ file, out, selection }: Extract<Invocation, { do: 'trace' }>): void {
  const attempt = <T>(what: string, body: () => T): T | undefined => {
    try {
      return body();
    } catch (thrown) {
      if (!(thrown instanceof TraceError) && !isSystemFault(thrown)) throw thrown;
      const reason = isSystemFault(thrown) ? reasonOf(thrown) : thrown.message;
      writeError(`perilune: ${what}: ${reason}\n`);
      process.exitCode = 1;
      return undefined;
    }
  };
  const drawing = attempt(`cannot draw ${file}`, () => drawFile(file, selection));
  if (drawing === undefined) return;
  for (const note of drawing.notes) writeError(`perilune: ${file}: ${note}\n`);
  if (out !== undefined) {
    attempt(`cannot write ${out}`, () => writeFileSync(toSystem(out), drawing.svg));
    return;
  }
  const output = new StandardOutput();
  output.write(Buffer.from(drawing.svg, 'utf8').toString('latin1'));
  output.flush();
}
