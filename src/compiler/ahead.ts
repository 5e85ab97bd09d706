/**
 * What the innermost loops look at before they begin. V8 does not peel an iteration off a loop in which something has never
 * run, and in ours the slow ways never run: so what does not change in a loop was looked at each time round, the table, its array part,
 * where its elements are and how many. A read of the same before the loop does what peeling would have done: V8 knows the outcome
 * for as long as nothing in the loop could have changed it. docs/decisions/0055-what-loops-look-at-before.md
 */
import type { Var } from './ir.ts';

/** Where a value comes from: a variable, and what was read of it, one after the other. */
export interface Path {
  readonly root: Var;
  readonly steps: readonly Step[];
}

interface Step {
  /** `.$name` or `.arr[key]` */
  readonly js: string;
  /** What must hold before that is read. */
  readonly tests: readonly string[];
  readonly vars: readonly Var[];
}

/** Something that is read; of the root nothing is. */
interface Place {
  readonly step: Step;
  /** Its elements are read. */
  isArray: boolean;
  readonly next: Map<string, Place>;
}

/** More would hardly be kept in registers. */
const MAX_PLACES = 12;
const MAX_STEPS = 4;

export const pathOf = (root: Var): Path => ({ root, steps: [] });

/** What is read of what is there; undefined where that is too far away. */
export function pathTo(
  { root, steps }: Path,
  js: string,
  key?: Pick<Step, 'tests' | 'vars'>,
): Path | undefined {
  if (steps.length >= MAX_STEPS) return undefined;
  return { root, steps: [...steps, { js, tests: [], vars: [], ...key }] };
}

const makePlace = (step: Step): Place => ({ step, isArray: false, next: new Map() });

export class Ahead {
  private readonly roots = new Map<Var, Place>();
  private count = 0;

  /** The loop reads this, or elements of it. */
  add({ root, steps }: Path, isArray: boolean): void {
    let place: Place | undefined = this.roots.get(root);
    if (place === undefined) {
      if (this.count >= MAX_PLACES) return;
      this.count++;
      this.roots.set(root, (place = makePlace({ js: '', tests: [], vars: [root] })));
    }
    for (const step of steps) {
      let next: Place | undefined = place.next.get(step.js);
      if (next === undefined) {
        if (this.count >= MAX_PLACES) return;
        this.count++;
        place.next.set(step.js, (next = makePlace(step)));
      }
      place = next;
    }
    if (isArray) place.isArray = true;
  }

  /** @param stays  whether the loop leaves a variable from before it as it is */
  text(stays: (v: Var) => boolean): string {
    const parts: string[] = [];
    for (const [root, place] of this.roots)
      if (stays(root)) parts.push(inside(root.name, place, stays, 0));
    return parts.filter((part) => part !== '').join(' ');
  }
}

/**
 * The value may be nil: a way that has never been gone is no way for V8, so what it learns in the other one holds. `$O.nothing`
 * because only of what asks for a property it knows that it has never run.
 */
function inside(value: string, place: Place, stays: (v: Var) => boolean, depth: number): string {
  const parts: string[] = place.isArray ? [`${value}.arr[0];`] : [];
  for (const next of place.next.values()) {
    const { js, tests, vars } = next.step;
    if (!vars.every(stays)) continue;
    const read = `${value}${js}`;
    const name = `p$${depth}`;
    const further = inside(name, next, stays, depth + 1);
    if (further !== '') {
      const rest = `const ${name} = ${read}; ${further}`;
      parts.push(
        tests.length === 0
          ? `{ ${rest} }`
          : `if (${tests.join(' && ')}) { ${rest} } else $O.nothing;`,
      );
    } else if (tests.length === 0) parts.push(`${read};`);
  }
  return parts.length === 0
    ? ''
    : value === 'E$'
      ? parts.join(' ')
      : `if (${value} === undefined) $O.nothing; else { ${parts.join(' ')} }`;
}
