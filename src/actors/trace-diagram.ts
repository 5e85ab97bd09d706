/**
 * `perilune trace`: a trace as a sequence diagram. Time goes down, each actor has a line, and each event a row; a
 * message is an arrow from the row where it was sent to the one where it was received. What there is too much
 * of is left out, and the picture says so. All text comes from the trace and is escaped.
 */
import { readTrace, type TraceEvent } from './trace-file.ts';

export { TraceError } from './trace-file.ts';

/** What is drawn. */
export interface Selection {
  /** Seconds. */
  readonly from: number;
  readonly to: number;
  /** Labels; none: all. */
  readonly actors: readonly string[];
  readonly mostEvents: number;
  readonly mostActors: number;
}

export interface Drawing {
  readonly svg: string;
  /** For the person who asked. */
  readonly notes: readonly string[];
}

/** So many times the events that are drawn are looked at: those that are alike may become one. */
const ALIKE = 10;

/** Actors whose making is remembered. */
const MAX_KNOWN = 20_000;

/** What of a trace is to be drawn, and how much there was. */
interface Excerpt {
  start: TraceEvent | undefined;
  readonly events: TraceEvent[];
  /** How each actor was made. */
  readonly spawns: Map<string, TraceEvent>;
  total: number;
  /** Within the times, and of the actors, that were asked for. */
  matching: number;
}

/** @throws TraceError; what Node throws */
export function drawFile(file: string, selection: Selection): Drawing {
  const excerpt: Excerpt = {
    start: undefined,
    events: [],
    spawns: new Map(),
    total: 0,
    matching: 0,
  };
  const { lines, isCut } = readTrace(file, (event) => take(excerpt, event, selection));
  const notes: string[] = [];
  if (isCut) notes.push(`line ${lines} is not whole, and left out`);
  for (const name of selection.actors)
    if (!excerpt.spawns.has(name)) notes.push(`no actor ${name} was made`);
  excerpt.events.sort((a, b) => a.t - b.t);
  return { svg: draw(excerpt, selection, notes), notes };
}

function take(excerpt: Excerpt, event: TraceEvent, selection: Selection): void {
  const { spawns, events } = excerpt;
  if (event.event === 'start') {
    excerpt.start ??= event;
    return;
  }
  excerpt.total++;
  if (event.event === 'spawn' && spawns.size < MAX_KNOWN) spawns.set(event.actor!, event);
  const { from, to, actors, mostEvents } = selection;
  if (event.t < from || event.t > to) return;
  const who = [event.actor, event.from, event.to, event.by];
  if (actors.length > 0 && event.event !== 'end' && !who.some((a) => actors.includes(a!))) return;
  excerpt.matching++;
  if (events.length < mostEvents * ALIKE) events.push(event);
}

// ── rows ───────────────────────────────────────────────────────────────────────────────────────────

/** An event at its height. Several that are alike, and of actors that are not shown one by one, are one. */
interface Row {
  readonly event: TraceEvent;
  readonly y: number;
  count: number;
}

const TOP = 84;
const LEFT = 92;
const BOX_HEIGHT = 36;
/** Heights of events; others have the last. */
const HEIGHTS: Readonly<Record<string, number>> = { spawn: 50, send: 24, exit: 24, end: 30 };
const HEIGHT = 20;
const GAP = 26;

const OTHERS = 'others';

class Diagram {
  private readonly out: string[] = [];
  private readonly columns: readonly string[];
  private readonly known: ReadonlySet<string>;
  /** Actors that have no column of their own, and events that are drawn. */
  readonly hidden: number;
  readonly drawn: number;
  private readonly columnWidth: number;
  private readonly rows: Row[] = [];
  /** By what is the same of a message where it arrives. */
  private readonly sends = new Map<string, Row>();
  private readonly rowOfSend = new Map<TraceEvent, Row>();
  /** What was received through a socket → what was sent. */
  private readonly partner = new Map<TraceEvent, TraceEvent>();
  private readonly gaps: { readonly y: number; readonly seconds: number }[] = [];
  private height = 0;
  private digits = 6;
  private readonly spawns: ReadonlyMap<string, TraceEvent>;

  constructor({ events, spawns }: Excerpt, { mostActors, mostEvents }: Selection) {
    this.spawns = spawns;
    const all = actorsOf(events);
    const shown = all.size <= mostActors ? [...all.keys()] : mostActive(all, mostActors - 1);
    this.known = new Set(shown);
    this.pairThroughSockets(events);
    const some = this.firstRows(events, mostEvents);
    this.drawn = some.length;
    // Of the actors those that are there now.
    const there = actorsOf(some);
    const columns = shown.filter((name) => there.has(name));
    this.hidden = there.size - columns.length;
    this.columns = this.hidden > 0 ? [...columns, OTHERS] : columns;
    this.columnWidth = Math.min(260, Math.max(120, Math.floor(1080 / this.columns.length)));
    this.place(some);
  }

  /** As many events as become so many rows. */
  private firstRows(events: readonly TraceEvent[], most: number): readonly TraceEvent[] {
    let rows = 0;
    let last: TraceEvent | undefined;
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      if (last === undefined || !this.isLike(last, event)) {
        if (++rows > most) return events.slice(0, i);
        last = event;
      }
    }
    return events;
  }

  private place(events: readonly TraceEvent[]): void {
    const span = (events.at(-1)?.t ?? 0) - (events[0]?.t ?? 0);
    // As many as tell times apart, and no more.
    this.digits = Math.min(6, Math.max(3, 4 - Math.floor(Math.log10(span || 1))));
    let y = TOP + BOX_HEIGHT + 16;
    let before: TraceEvent | undefined;
    for (const event of events) {
      const last = this.rows.at(-1);
      if (last !== undefined && this.isLike(last.event, event)) {
        last.count++;
        this.noteSend(event, last);
        before = event;
        continue;
      }
      if (before !== undefined && event.t - before.t > span / 8) {
        this.gaps.push({ y: y + GAP / 2, seconds: event.t - before.t });
        y += GAP;
      }
      const height = HEIGHTS[event.event] ?? HEIGHT;
      y += event.event === 'spawn' ? height / 2 : height;
      const row = { event, y, count: 1 };
      this.rows.push(row);
      this.noteSend(event, row);
      if (event.event === 'spawn') y += height / 2;
      before = event;
    }
    this.height = y + 30;
  }

  /**
   * Messages through a socket arrive in the order in which they were sent, so that the first one received is the
   * first one sent: where one process alone says that it has sent there, and neither has left something out.
   */
  private pairThroughSockets(events: readonly TraceEvent[]): void {
    const sockets = new Map<number, { sender: TraceEvent; waiting: TraceEvent[]; next: number }>();
    const incomplete = new Set<string | undefined>();
    for (const event of events) {
      const { via } = event;
      if (event.event === 'left_out') incomplete.add(event.actor);
      if (via === undefined) continue;
      const socket = sockets.get(via);
      if (event.event === 'send') {
        if (socket === undefined) sockets.set(via, { sender: event, waiting: [event], next: 0 });
        else if (socket.sender.said_by === event.said_by) socket.waiting.push(event);
        else socket.next = Infinity;
      } else if (event.event === 'receive') {
        const sent = socket?.waiting[socket.next++];
        if (sent === undefined || incomplete.has(sent.said_by)) continue;
        if (incomplete.has(event.said_by)) continue;
        this.partner.set(event, sent);
        // Each knew itself only.
        if (event.actor !== '?') sent.to = event.actor!;
        if (sent.from !== '?') event.from = sent.from!;
      }
    }
  }

  private noteSend(event: TraceEvent, row: Row): void {
    if (event.event !== 'send' && event.event !== 'down') return;
    this.rowOfSend.set(event, row);
    if (event.id !== undefined) this.sends.set(keyOf(event), row);
  }

  /** Both are of the others, and of one kind. */
  private isLike(a: TraceEvent, b: TraceEvent): boolean {
    const ends = (e: TraceEvent): string =>
      [e.event, e.actor, e.from, e.to, e.by]
        .map((name, i) => (i === 0 || name === undefined ? name : this.columnOf(name)))
        .join(' ');
    const isOfOthers = [b.actor, b.from, b.to].some((n) => n !== undefined && !this.known.has(n));
    return isOfOthers && ends(a) === ends(b);
  }

  private columnOf(name: string): string {
    return this.known.has(name) ? name : OTHERS;
  }

  private x(name: string): number {
    const index = this.columns.indexOf(this.columnOf(name));
    return LEFT + (index + 0.5) * this.columnWidth;
  }

  get width(): number {
    // What ends on the last line says why at its side.
    return LEFT + Math.max(this.columns.length, 1) * this.columnWidth + 150;
  }

  svg(title: readonly string[]): string {
    this.lifelines();
    for (const row of this.rows) this.rowOf(row);
    this.axis();
    const { width, height } = this;
    const heading = title
      .map(
        (line, i) =>
          `<text class="${i === 0 ? 'title' : 'sub'}" x="16" y="${24 + i * 17}">${esc(line)}</text>`,
      )
      .join('\n');
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${esc(title[0]!)}</title>
<style>${STYLE}</style>
<defs>${MARKERS}</defs>
<rect width="${width}" height="${height}" fill="#fff"/>
${heading}
${this.out.join('\n')}
</svg>
`;
  }

  // ── actors ──

  private lifelines(): void {
    const born = new Map<string, number>();
    const dead = new Map<string, number>();
    for (const { event, y } of this.rows) {
      if (event.event === 'spawn' && event.by !== undefined) born.set(event.actor!, y);
      else if (event.event === 'exit' && !isLastWord(event)) dead.set(event.actor!, y);
    }
    const heads: string[] = [];
    for (const name of this.columns) {
      const x = this.x(name);
      const at = name === OTHERS ? undefined : born.get(name);
      const top = at === undefined ? TOP : at - BOX_HEIGHT / 2;
      const bottom = (name === OTHERS ? undefined : dead.get(name)) ?? this.height - 14;
      this.out.push(
        `<line class="life" x1="${x}" y1="${top + BOX_HEIGHT}" x2="${x}" y2="${bottom}"/>`,
      );
      heads.push(this.head(name, x, top));
    }
    this.out.push(...heads);
  }

  private head(name: string, x: number, top: number): string {
    const width = this.columnWidth - 24;
    const room = Math.floor(width / 6.6);
    const [title, home] =
      name === OTHERS ? [`${this.hidden} others`, ''] : [name, homeOf(this.spawns.get(name))];
    const module = this.spawns.get(name)?.module;
    return (
      `<g><title>${esc([title, home, module].filter((part) => part !== undefined && part !== '').join('\n'))}</title>` +
      `<rect class="head" x="${x - width / 2}" y="${top}" width="${width}" height="${BOX_HEIGHT}" rx="4"/>` +
      `<text class="name" x="${x}" y="${top + (home === '' ? 22 : 16)}">${esc(cut(title, room))}</text>` +
      `<text class="home" x="${x}" y="${top + 29}">${esc(cut(home, Math.floor(width / 5.2)))}</text></g>`
    );
  }

  // ── events ──

  /** Sends of which is drawn how they ended. */
  private readonly arrived = new Set<Row>();

  private rowOf(row: Row): void {
    const { event, y } = row;
    const times = row.count > 1 ? `${row.count} × ` : '';
    const { actor = '', from = '', to = '' } = event;
    switch (event.event) {
      case 'spawn':
        if (event.by !== undefined) this.spawn(event.by, row, times);
        return;
      case 'send':
      case 'down':
        return; // drawn where it arrives
      case 'receive':
        return this.arrival(row, actor, 'received');
      case 'drop':
        return this.arrival(row, to, 'dropped');
      case 'kill':
        this.arrow(
          'kill',
          this.x(actor),
          y,
          this.x(to),
          y,
          `${times}${event.signal ?? 'kill'}`,
          event,
        );
        return;
      case 'monitor':
        this.arrow('monitor', this.x(actor), y, this.x(to), y, `${times}monitor`, event);
        return;
      case 'wait':
        return this.mark(from, y, `${times}waits: ${to} is full`, 'warn', event);
      case 'close':
        return this.mark(
          actor,
          y,
          `${times}closes ${event.to === undefined ? 'its inbox' : to}`,
          'quiet',
          event,
        );
      case 'detach':
        return this.mark(actor, y, `${times}detaches ${to}`, 'quiet', event);
      case 'no_senders':
        return this.mark(actor, y, `${times}nobody can send to it`, 'quiet', event);
      case 'unanswered':
        return this.mark(
          actor,
          y,
          `${times}no answer${event.reason === undefined ? '' : `: ${event.reason}`}`,
          'warn',
          event,
        );
      case 'left_out':
        return this.mark(
          actor,
          y,
          `${event.count ?? 'more'} events of it are not here`,
          'warn',
          event,
        );
      case 'malformed':
        return this.mark(actor, y, `${times}what ${from} sent is no message`, 'warn', event);
      case 'exit':
        return this.death(row, times);
      case 'end':
        this.out.push(
          `<line class="end" x1="${LEFT - 8}" y1="${y}" x2="${this.width - 150}" y2="${y}"/>` +
            `<text class="note" x="${LEFT}" y="${y - 4}">the process ends: exit code ${event.code ?? '?'}</text>`,
        );
        return;
      default:
        return this.mark(actor, y, `${times}${event.event}`, 'quiet', event);
    }
  }

  private spawn(by: string, { event, y, count }: Row, times: string): void {
    const x = this.x(event.actor!);
    const from = this.x(by);
    if (count > 1 || !this.known.has(event.actor!)) {
      this.arrow('spawn', from, y, x, y, `${times}spawn`, event);
      return;
    }
    const edge = (this.columnWidth - 24) / 2;
    this.arrow('spawn', from, y, x > from ? x - edge : x + edge, y, '', event);
  }

  private arrival(row: Row, name: string, how: 'received' | 'dropped'): void {
    const { event, y } = row;
    const partner = this.partner.get(event);
    const sent =
      partner !== undefined
        ? this.rowOfSend.get(partner)
        : event.id !== undefined
          ? this.sends.get(keyOf(event))
          : undefined;
    if (sent === undefined) {
      // It was sent before, or where nobody has seen it.
      const text = event.message ?? (event.id === undefined ? '' : `message ${event.id}`);
      this.arrow(
        how === 'dropped' ? 'dropped' : 'unseen',
        this.x(event.from ?? ''),
        y,
        this.x(name),
        y,
        countOf(row) + text,
        event,
      );
      return;
    }
    if (this.arrived.has(sent)) return; // one of several
    this.arrived.add(sent);
    const kind = how === 'dropped' ? 'dropped' : sent.event.event === 'down' ? 'down' : 'sent';
    const text = this.textOf(sent);
    this.arrow(kind, this.x(sent.event.from!), sent.y, this.x(name), y, text, sent.event, event);
  }

  /** Those of which nobody has seen how they arrived. */
  private leftovers(): void {
    for (const row of this.rows) {
      const { event, y } = row;
      if ((event.event !== 'send' && event.event !== 'down') || this.arrived.has(row)) continue;
      this.arrow('open', this.x(event.from!), y, this.x(event.to!), y, this.textOf(row), event);
    }
  }

  /** With the names of those that have no column. */
  private textOf({ event, count }: Row): string {
    if (count > 1) return `${count} messages`;
    const { from = '', to = '' } = event;
    const isHidden = !this.known.has(from) || !this.known.has(to);
    return isHidden ? `${from} → ${to}: ${textOf(event)}` : textOf(event);
  }

  private death({ event, y, count }: Row, times: string): void {
    const x = this.x(event.actor!);
    const isBad = event.how !== 'ended' && event.how !== 'exit';
    const cls = isBad ? 'bad' : 'gone';
    const why = [
      event.how,
      event.reason ?? (event.how === 'exit' ? `code ${event.code ?? 0}` : ''),
    ];
    const text = why.filter((part) => part !== '' && part !== undefined).join(': ');
    if (isLastWord(event)) return this.mark(event.actor!, y, text, isBad ? 'warn' : 'quiet', event);
    if (count === 1)
      this.out.push(`<path class="${cls}" d="M${x - 6} ${y - 6}l12 12m0-12l-12 12"/>`);
    this.label(x + 12, y + 4, times + text, 'start', cls, 2 * this.columnWidth, event);
  }

  private mark(name: string, y: number, text: string, cls: string, event: TraceEvent): void {
    const x = this.x(name);
    this.out.push(`<circle class="${cls}" cx="${x}" cy="${y}" r="3"/>`);
    this.label(x + 8, y + 4, text, 'start', cls, 1.4 * this.columnWidth, event);
  }

  private arrow(
    cls: string,
    x1: number,
    y1: number,
    x2: number,
    y2: number,
    text: string,
    event: TraceEvent,
    later?: TraceEvent,
  ): void {
    const claimed = (event.said_by ?? later?.said_by) === undefined ? '' : ' claimed';
    if (x1 === x2) {
      const right = x1 + 26;
      this.out.push(
        `<path class="${cls}${claimed}" d="M${x1} ${y1}H${right}V${Math.max(y2, y1 + 8)}H${x2 + 2}"/>`,
      );
      this.label(right + 4, y1 + 4, text, 'start', 'text', 1.2 * this.columnWidth, event, later);
      return;
    }
    const goesRight = x2 > x1;
    this.out.push(
      `<path class="${cls}${claimed}" d="M${x1} ${y1}L${goesRight ? x2 - 1 : x2 + 1} ${y2}"/>`,
    );
    const room = Math.abs(x2 - x1) - 20;
    const x = goesRight ? x1 + 8 : x1 - 8;
    this.label(x, y1 - 4, text, goesRight ? 'start' : 'end', 'text', room, event, later);
  }

  private label(
    x: number,
    y: number,
    text: string,
    anchor: 'start' | 'end',
    cls: string,
    room: number,
    event: TraceEvent,
    later?: TraceEvent,
  ): void {
    if (text === '') return;
    this.out.push(
      `<text class="${cls} label" x="${x}" y="${y}" text-anchor="${anchor}">${esc(cut(text, Math.floor(room / 5.7)))}` +
        `<title>${esc(describe(event, later))}</title></text>`,
    );
  }

  // ── time ──

  private axis(): void {
    this.leftovers();
    let last = -Infinity;
    for (const { event, y } of this.rows) {
      if (y - last < 18) continue;
      last = y;
      this.out.push(
        `<text class="time" x="${LEFT - 14}" y="${y + 3}">${event.t.toFixed(this.digits)}</text>` +
          `<line class="tick" x1="${LEFT - 10}" y1="${y}" x2="${LEFT - 4}" y2="${y}"/>`,
      );
    }
    for (const gap of this.gaps)
      this.out.push(
        `<text class="gap" x="${LEFT - 14}" y="${gap.y + 3}">⋮ ${gap.seconds.toPrecision(2)} s</text>`,
      );
  }
}

/** What a process has said of its own end: the end itself is another line. */
const isLastWord = ({ actor, said_by }: TraceEvent): boolean =>
  actor !== undefined && actor === said_by;

const countOf = ({ count }: Row): string => (count > 1 ? `${count} × ` : '');

/** Of a message in its sender's process. */
const keyOf = ({ said_by = '', id }: TraceEvent): string => `${said_by} ${id}`;

const seconds = (t: number): string => (t < 100 ? t.toFixed(6) : t.toFixed(3));

/** How many events each has, in the order in which they appear. */
function actorsOf(events: readonly TraceEvent[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { actor, from, to, by } of events)
    for (const name of [by, from, actor, to])
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function mostActive(counts: ReadonlyMap<string, number>, most: number): string[] {
  const least = [...counts.values()].sort((a, b) => b - a)[most - 1] ?? Infinity;
  const above = new Set([...counts].filter(([, n]) => n > least).map(([name]) => name));
  const equal = [...counts].filter(([, n]) => n === least).map(([name]) => name);
  for (const name of equal.slice(0, Math.max(most - above.size, 0))) above.add(name);
  return [...counts.keys()].filter((name) => above.has(name));
}

function homeOf(spawn: TraceEvent | undefined): string {
  if (spawn?.home === undefined) return '';
  if (spawn.home === 'thread') return `thread ${spawn.thread ?? '?'}`;
  if (spawn.home !== 'process') return spawn.home;
  return `process ${spawn.pid ?? '?'}${spawn.sandbox === undefined ? '' : ', sandbox'}`;
}

function textOf({ event, message, reason, request }: TraceEvent): string {
  if (event === 'down') return `down${reason === undefined ? '' : `: ${reason}`}`;
  return `${request === undefined ? '' : '? '}${message ?? ''}`;
}

/** What a pointer that rests on it is told. */
function describe(event: TraceEvent, later: TraceEvent | undefined): string {
  const { t, from, actor, to, type, message, reason, said_by } = event;
  const lines = [
    `${seconds(t)} s: ${event.event} ${from ?? actor ?? ''}${to === undefined ? '' : ` → ${to}`}`,
    later === undefined ? undefined : `${seconds(later.t)} s: ${later.event}`,
    message === undefined ? undefined : `${type ?? ''} ${message}`,
    reason,
    said_by === undefined ? undefined : `as ${said_by} says`,
  ];
  return lines.filter((line) => line !== undefined).join('\n');
}

// ── text ───────────────────────────────────────────────────────────────────────────────────────────

const MAX_TEXT = 600;

function cut(text: string, room: number): string {
  if (text.length <= room) return text;
  return `${text.slice(0, Math.max(room - 1, 1)).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Nothing but characters of XML 1.0, none of which ends the text. */
const esc = (text: string): string =>
  cut(text, MAX_TEXT)
    .toWellFormed()
    .replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `text{font:11px system-ui,'DejaVu Sans',sans-serif;fill:#222}
.title{font-size:15px;font-weight:600}.sub{fill:#666}.name{font-weight:600;font-size:12px;text-anchor:middle}
.home{fill:#567;font-size:9.5px;text-anchor:middle}.head{fill:#eef3fa;stroke:#6b8cae}
.life{stroke:#9bb;stroke-dasharray:4 3}.time,.gap{font-size:9.5px;fill:#888;text-anchor:end}.gap{fill:#b60}
.tick{stroke:#bbb}.end{stroke:#888}.label{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}
.note{fill:#666}path{fill:none;stroke:#246}
.sent{marker-end:url(#full)}.open{stroke-dasharray:6 3;marker-end:url(#hollow)}.unseen{stroke-dasharray:6 3;marker-end:url(#full)}
.down{stroke:#a40;stroke-dasharray:2 3;marker-end:url(#full)}.dropped{stroke:#c22;marker-end:url(#cross)}
.spawn{stroke:#4a4;marker-end:url(#full)}.monitor{stroke:#aaa;stroke-dasharray:1 3;marker-end:url(#hollow)}
.kill{stroke:#c22;stroke-width:1.6;marker-end:url(#full)}.claimed{opacity:.6}
path.bad{stroke:#c22;stroke-width:2.5}path.gone{stroke:#666;stroke-width:2}text.bad{fill:#c22}text.gone,text.quiet{fill:#666}
text.warn{fill:#b60}circle.quiet{fill:#999}circle.warn{fill:#e90}`;

const MARKERS =
  '<marker id="full" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0L8 4L0 8z" style="fill:context-stroke;stroke:none"/></marker>' +
  '<marker id="hollow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0L8 4L0 8" style="stroke:context-stroke"/></marker>' +
  '<marker id="cross" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="10" markerHeight="10" orient="auto" markerUnits="userSpaceOnUse"><path d="M1 1L9 9M9 1L1 9" style="stroke:#c22;stroke-width:1.6"/></marker>';

function draw(excerpt: Excerpt, selection: Selection, notes: string[]): string {
  const { start, events, total, matching } = excerpt;
  const diagram = new Diagram(excerpt, selection);
  const { drawn } = diagram;
  const title = [`Actors of ${cut(start?.program ?? '?', 80)}`];
  const begun = [`process ${start?.pid ?? '?'}`, start?.time, `times in seconds`];
  title.push(begun.filter((part) => part !== undefined).join(', '));
  const left: string[] = [];
  const number = (n: number): string => n.toLocaleString('en');
  if (matching > drawn)
    left.push(
      `${number(matching - drawn)} events after ${seconds(events[drawn - 1]?.t ?? 0)} s (--most, --from)`,
    );
  if (total > matching) left.push(`${number(total - matching)} that were not asked for`);
  if (diagram.hidden > 0)
    left.push(`${number(diagram.hidden)} actors are in one column (--actors, --actor)`);
  if (left.length > 0) {
    title.push(`Left out: ${left.join('; ')}.`);
    notes.push(`left out: ${left.join('; ')}`);
  }
  return diagram.svg(title);
}
