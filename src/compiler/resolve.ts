/**
 * Names → locals, upvalues, globals; labels → the statements that jump to them.
 * The parser drives this while it reads: scopes open and close with the blocks.
 */
import type { Block, FunctionNode, Label, LocalVar, Stat } from './ast.ts';

/** A `break` outside of loops is one: as with a label that there is not, that is told where the function ends. */
interface PendingGoto {
  stat: Extract<Stat, { kind: 'goto' | 'break' }>;
  /** Number of active locals where it stands, lowered as blocks close. */
  active: number;
  /** Index, in the block being looked at, of the statement that holds it. */
  at: number;
}

interface BlockScope {
  block: Block;
  outer: BlockScope | undefined;
  /** Number of active locals when it opened. */
  base: number;
  isLoop: boolean;
  gotos: PendingGoto[];
}

/** A problem that the parser words and positions. */
export interface ScopeFault {
  message: string;
  line: number;
}

/** The names of one function while it is being parsed. */
export class FunctionScope {
  readonly node: FunctionNode;
  readonly outer: FunctionScope | undefined;
  /** Active locals, outermost first. */
  readonly active: LocalVar[] = [];
  block: BlockScope | undefined;

  constructor(node: FunctionNode, outer: FunctionScope | undefined) {
    this.node = node;
    this.outer = outer;
  }

  find(name: string): LocalVar | undefined {
    const { active } = this;
    for (let i = active.length - 1; i >= 0; i--) if (active[i]!.name === name) return active[i];
    return undefined;
  }

  openBlock(block: Block, isLoop: boolean): void {
    this.block = { block, outer: this.block, base: this.active.length, isLoop, gotos: [] };
  }

  get insideLoop(): boolean {
    for (let b = this.block; b !== undefined; b = b.outer) if (b.isLoop) return true;
    return false;
  }

  addGoto(stat: PendingGoto['stat']): void {
    const scope = this.block!;
    scope.gotos.push({ stat, active: this.active.length, at: scope.block.stats.length });
  }

  /** Declare a label before the next statement of the current block. */
  addLabel(name: string, id: number, line: number): ScopeFault | undefined {
    const { block } = this.block!;
    // An outer block may have one of the same name; this one hides it.
    if (block.labels?.some((label) => label.name === name)) {
      return { message: `duplicate label '${name}'`, line };
    }
    const label: Label & { active: number } = {
      name,
      id,
      line,
      at: block.stats.length,
      forward: [],
      backward: [],
      active: this.active.length,
    };
    block.labels ??= [];
    block.labels.push(label);
    return undefined;
  }

  /**
   * Close the current block: settle its gotos, hand the open ones to the block around it.
   * The locals of a `repeat` are alive up to its condition.
   */
  closeBlock(isRepeat = false): ScopeFault | undefined {
    const scope = this.block!;
    const { block, outer } = scope;
    for (const jump of scope.gotos) {
      const { stat } = jump;
      const label =
        stat.kind === 'goto'
          ? (block.labels?.find((l) => l.name === stat.label) as
              | (Label & { active: number })
              | undefined)
          : undefined;
      if (stat.kind === 'break' || label === undefined) {
        if (outer === undefined) {
          const message =
            stat.kind === 'break' ? 'no loop to break' : `undefined label '${stat.label}'`;
          return { message, line: stat.line };
        }
        outer.gotos.push({
          stat,
          active: Math.min(jump.active, scope.base),
          at: outer.block.stats.length,
        });
        continue;
      }
      const backward = jump.at >= label.at;
      // A label that ends its block is outside the scope of the block's locals.
      const atEnd = label.at === block.stats.length && !isRepeat;
      if (!backward && !atEnd && label.active > jump.active) {
        const local = this.active[jump.active]!.name;
        return {
          message: `<goto ${stat.label}> jumps into the scope of local '${local}'`,
          line: stat.line,
        };
      }
      stat.target = label;
      stat.backward = backward;
      (backward ? label.backward : label.forward).push(jump.at);
    }
    this.active.length = scope.base;
    this.block = outer;
    return undefined;
  }
}
