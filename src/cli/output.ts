/**
 * What `print` and panic reports write. `print` must not suspend, so its text is gathered and written
 * in one go at the end of each turn, or when it is large. A reader that has gone away ends the process
 * as SIGPIPE would: quietly, with the code that a shell expects.
 */
import { writeSync } from 'node:fs';
import { colored, ERROR, type ReportSettings, wantsColors } from './environment.ts';

const FLUSH_AT = 64 * 1024;
/** 128 + SIGPIPE. */
const BROKEN_PIPE = 141;

export class StandardOutput {
  private text = '';
  private scheduled = false;

  write(text: string): void {
    this.text += text;
    if (this.text.length >= FLUSH_AT) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    const { text } = this;
    if (text === '') return;
    this.text = '';
    writeAll(1, Buffer.from(text, 'latin1'));
  }
}

/** `report` of a VM's host. */
export function reportTo(output: StandardOutput, settings: ReportSettings) {
  return (text: string, isProblem?: boolean): void => {
    output.flush();
    if (isProblem !== true) writeError(text);
    else if (settings.level >= ERROR) writeError(wantsColors(settings) ? colored(text) : text);
  };
}

/** Bytes as code units. */
export function writeError(text: string): void {
  writeAll(2, Buffer.from(text, 'latin1'));
}

/** A trace of actors can't be written any more. */
export const reportTrace = (message: string): void => writeError(`perilune: ${message}\n`);

let endsWithReader = true;

/** Nobody need read what this process writes: it is no part of a pipeline. */
export function ignoreBrokenPipes(): void {
  endsWithReader = false;
}

const wait = new Int32Array(new SharedArrayBuffer(4));

function writeAll(fd: number, bytes: Buffer): void {
  let offset = 0;
  let pause = 1;
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset);
      pause = 1;
    } catch (fault) {
      const { code } = fault as NodeJS.ErrnoException;
      if (code === 'EPIPE' && endsWithReader) process.exit(fd === 1 ? BROKEN_PIPE : 1);
      // Somebody has made it non-blocking: wait for the reader.
      if (code === 'EAGAIN') Atomics.wait(wait, 0, 0, (pause = Math.min(pause * 2, 32)));
      else if (code !== 'EINTR') return;
    }
  }
}
