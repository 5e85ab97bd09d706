/** Text put together from many small pieces. */
import { varyFields } from '../../runtime/value.ts';

/** Up to this length V8's own concatenation is faster. */
const SHORT = 500;
/** From this length on one call costs less than a loop over the characters. */
const LONG_PIECE = 100;

/** V8's. */
const MAX_STRING = 2 ** 29 - 24;

/** A long text is collected as bytes: concatenating would make an object for every piece. */
export class TextBuilder {
  private text = '';
  private bytes: Buffer | undefined = undefined;
  private length = 0;

  /** Add the part [from, to) of a text. */
  add(text: string, from: number, to: number): void {
    if (this.bytes === undefined) {
      this.text += text.slice(from, to);
      if (this.text.length > SHORT) this.toBytes();
      return;
    }
    const size = to - from;
    // As V8 says it of strings that are put together.
    if (this.length + size > MAX_STRING) throw new RangeError('Invalid string length');
    if (this.length + size > this.bytes.length) this.grow(size);
    const { bytes } = this;
    let at = this.length;
    this.length += size;
    if (size >= LONG_PIECE) bytes.write(text.slice(from, to), at, 'latin1');
    else while (from < to) bytes[at++] = text.charCodeAt(from++);
  }

  toString(): string {
    return this.bytes === undefined ? this.text : this.bytes.toString('latin1', 0, this.length);
  }

  private toBytes(): void {
    this.length = this.text.length;
    this.bytes = Buffer.allocUnsafe(4 * this.length);
    this.bytes.write(this.text, 0, 'latin1');
    this.text = '';
  }

  private grow(more: number): void {
    const bytes = Buffer.allocUnsafe(Math.max(2 * this.length, this.length + more));
    this.bytes!.copy(bytes, 0, 0, this.length);
    this.bytes = bytes;
  }
}
varyFields(new TextBuilder());
