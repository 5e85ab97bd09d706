/**
 * Sorting whose comparisons may suspend: a merge sort without recursion, so that all there is to remember is
 * a few indexes. It makes at most n·log₂ n comparisons whatever they answer, and then ends: an order
 * function that contradicts itself gives some permutation.
 *
 * Two runs are merged as soon as they are there, not all runs of one length before those of twice that: what was
 * just looked at is still in the processor's cache then (docs/decisions/0050-what-is-near-in-memory.md).
 */
import { suspendIn } from './call.ts';
import { first, isTrue, type LuaValue, type Result, SUSPEND } from './value.ts';

/** Raw result of `a < b`: its first value counts as a truth; or SUSPEND. */
export type Less = (a: LuaValue, b: LuaValue) => Result;

/**
 * Sort `values`, in order of `less`; equal ones stay as they are.
 * @param done  gets the sorted values (in this array or another); gives the result
 */
export function mergeSort(
  values: LuaValue[],
  less: Less,
  done: (sorted: LuaValue[]) => Result,
): Result {
  return new MergeSort(values, less, done).run();
}

class MergeSort {
  /** Two runs of `width` sorted values … */
  private from: LuaValue[];
  /** … are merged into here. Each width has the two the other way round. */
  private to: LuaValue[];
  private width = 1;
  /** Where the first of them begins: a multiple of 2 · width. */
  private begin = 0;
  /** What is left of them is at [left, middle) and [right, end). */
  private left = 0;
  private middle = 1;
  private right = 1;
  private end = 2;
  private readonly less: Less;
  private readonly done: (sorted: LuaValue[]) => Result;

  constructor(values: LuaValue[], less: Less, done: (sorted: LuaValue[]) => Result) {
    this.from = values;
    this.to = values.slice();
    this.less = less;
    this.done = done;
  }

  run(): Result {
    const { less } = this;
    let { from, to, width, begin, left, middle, right, end } = this;
    const n = from.length;
    for (;;) {
      let at = left + right - middle;
      while (left < middle && right < end) {
        const a = from[right];
        const b = from[left];
        let isLess = less(a, b);
        if (typeof isLess !== 'boolean') {
          if (isLess === SUSPEND) {
            this.from = from;
            this.to = to;
            this.width = width;
            this.begin = begin;
            this.left = left;
            this.middle = middle;
            this.right = right;
            this.end = end;
            return suspendIn((answer) => {
              this.take(isTrue(first(answer)));
              return this.run();
            });
          }
          isLess = isTrue(first(isLess));
        }
        if (isLess) {
          to[at++] = a;
          right++;
        } else {
          to[at++] = b;
          left++;
        }
      }
      while (left < middle) to[at++] = from[left++];
      while (right < end) to[at++] = from[right++];
      if ((begin & (2 * width)) !== 0 || end === n) {
        // What it is to be merged with is there, or there is nothing.
        if (begin === 0 && end === n) return this.done(to);
        [from, to] = [to, from];
        width *= 2;
        begin -= begin & (2 * width - 1);
      } else {
        // The next two values, which are in the first array still: it is `from` at each other width.
        if ((Math.clz32(width) & 1) === 0) [from, to] = [to, from];
        width = 1;
        begin = end;
      }
      left = begin;
      middle = right = Math.min(begin + width, n);
      end = Math.min(begin + 2 * width, n);
    }
  }

  /** Take the next value: from the right run if it is less. */
  private take(rightIsLess: boolean): void {
    const at = this.left + this.right - this.middle;
    this.to[at] = rightIsLess ? this.from[this.right++] : this.from[this.left++];
  }
}
