/**
 * Sorting whose comparisons may suspend: a merge sort, bottom up, so that all there is to remember is
 * a few indexes. It makes at most n·log₂ n comparisons whatever they answer, and then ends: an order
 * function that contradicts itself gives some permutation.
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
  /** Runs of `width` sorted values … */
  private from: LuaValue[];
  /** … are merged, in pairs, into here. */
  private to: LuaValue[];
  private width = 1;
  /** What is left of the two runs that are being merged is at [left, middle) and [right, end). */
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
    let { from, to, width, left, middle, right, end } = this;
    const n = from.length;
    while (width < n) {
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
        if (end >= n) break;
        left = end;
        middle = right = Math.min(left + width, n);
        end = Math.min(right + width, n);
      }
      [from, to] = [to, from];
      width *= 2;
      left = 0;
      middle = right = Math.min(width, n);
      end = Math.min(2 * width, n);
    }
    return this.done(from);
  }

  /** Take the next value: from the right run if it is less. */
  private take(rightIsLess: boolean): void {
    const at = this.left + this.right - this.middle;
    this.to[at] = rightIsLess ? this.from[this.right++] : this.from[this.left++];
  }
}
