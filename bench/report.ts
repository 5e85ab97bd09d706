/** What a section of the benchmark has to say, and its words in Markdown. */

export interface Options {
  /** interleaved runs of each contender */
  runs: number;
  /** smaller loads, for a first look */
  quick: boolean;
  /** the perilune under test */
  perilune: string;
}

export interface Goal {
  what: string;
  /** as the budget words it */
  goal: string;
  /** as measured, or why it is not */
  measured: string;
  met: boolean | 'not measured';
}

export interface Section {
  title: string;
  /** Markdown below the title */
  text: string;
  goals: Goal[];
}

/** A Markdown table: first column left, others right. */
export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  const ruler = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return `${[line(head), line(ruler), ...rows.map(line)].join('\n')}\n`;
}

export const ratio = (n: number): string => `${n.toFixed(2)}×`;
export const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)}`;
export const mb = (kb: number): string => `${(kb / 1024).toFixed(0)}`;

/** A goal that is an upper limit (`'≤'`) or a lower one. */
export function goal(
  what: string,
  compare: '≤' | '≥',
  limit: number,
  value: number,
  show: (n: number) => string,
  remark = '',
): Goal {
  const met = compare === '≤' ? value <= limit : value >= limit;
  return { what, goal: `${compare} ${show(limit)}`, measured: `${show(value)}${remark}`, met };
}

export const unmeasured = (what: string, limit: string, why: string): Goal => ({
  what,
  goal: limit,
  measured: why,
  met: 'not measured',
});

export function goalTable(goals: Goal[]): string {
  const words = (met: Goal['met']): string =>
    met === 'not measured' ? met : met ? 'met' : '**missed**';
  return table(
    ['budget', 'goal', 'measured', ''],
    goals.map((g) => [g.what, g.goal, g.measured, words(g.met)]),
  );
}
