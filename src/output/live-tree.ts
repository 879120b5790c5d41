import { formatDuration } from '../engine/duration.ts';
import type { Plan } from '../engine/plan/plan.ts';
import type { RunEvent } from '../engine/run/event.ts';
import { errorDetails } from './event-text.ts';
import { safeLine } from './safe-text.ts';

export type LiveState = 'waiting' | 'running' | 'attention' | 'done' | 'failed' | 'skipped';

export interface LiveItem {
  readonly id: string;
  readonly parent: string | undefined;
  title: string;
  state: LiveState;
  /** What is awaited, the last log line, or why it failed; below the title. */
  note: string;
  /** Milliseconds, once finished. */
  took: number | undefined;
  /** Of the event that started it. */
  startedAt: number | undefined;
  /** Groups and blocks are drawn only when they have children. */
  readonly leaf: boolean;
}

/** What the live view shows, as data: kept apart from the drawing so that it can be tested without a terminal. */
export class LiveTree {
  readonly #items = new Map<string, LiveItem>();
  /** Milliseconds since the epoch of the last event, on the run's own clock. */
  now = 0;
  /** Undefined until the run ended. */
  exitCode: number | undefined;
  /** Beside the title: the run's own state. */
  banner = '';

  constructor(plan: Plan) {
    for (const { id, name, uses, block, depth, status } of plan.forecast) {
      if (block === 'rollback') continue;
      this.#items.set(id, {
        id,
        parent: this.#parentAt(depth),
        title: safeLine(name),
        state: 'waiting',
        note: '',
        took: undefined,
        startedAt: undefined,
        leaf: uses !== undefined && status !== 'group' && !/\.ya?ml$/.test(uses),
      });
      this.#path[depth] = id;
    }
  }

  readonly #path: string[] = [];

  #parentAt(depth: number): string | undefined {
    return depth === 0 ? undefined : this.#path[depth - 1];
  }

  get items(): readonly LiveItem[] {
    return [...this.#items.values()];
  }

  /** Those that fit into `rows` lines: everything, or what runs, failed and comes next. */
  visible(rows: number): readonly LiveItem[] {
    const all = this.items;
    const lines = all.length + all.filter(({ note }) => note !== '').length;
    if (lines <= rows) return all;
    const busy = all
      .filter(({ state }) => state === 'running' || state === 'attention' || state === 'failed')
      .slice(-Math.max(1, Math.floor(rows / 2)));
    const next = all.filter(({ state }) => state === 'waiting').slice(0, Math.max(1, rows - 2 * busy.length));
    return [...busy, ...next];
  }

  counts(): { readonly done: number; readonly total: number } {
    const leaves = this.items.filter(({ leaf }) => leaf);
    return {
      done: leaves.filter(({ state }) => state === 'done' || state === 'skipped' || state === 'failed')
        .length,
      total: leaves.length,
    };
  }

  apply(event: RunEvent): void {
    this.now = Date.parse(event.time);
    if (event.type === 'evaluated') this.#start(event);
    else if (event.type === 'skipped')
      this.#finish(this.#ensure(event.id, event.parent, event.name, true), 'skipped', safeLine(event.text));
    else if ('id' in event && event.id !== '') this.#update(event);
    else this.#banner(event);
  }

  #start(event: RunEvent & { type: 'evaluated' }): void {
    if (event.id.startsWith('@')) return;
    const item = this.#ensure(event.id, event.parent, event.name, event.uses !== undefined);
    item.title = safeLine(event.name);
    item.state = 'running';
    item.startedAt = this.now;
  }

  #ensure(id: string, parent: string, title: string, leaf: boolean): LiveItem {
    const known = this.#items.get(id);
    if (known !== undefined) return known;
    const item: LiveItem = {
      id,
      parent: parent.startsWith('@') ? undefined : parent,
      title: safeLine(title),
      state: 'waiting',
      note: '',
      took: undefined,
      startedAt: undefined,
      leaf,
    };
    this.#items.set(id, item);
    return item;
  }

  #finish(item: LiveItem, state: LiveState, note: string): void {
    item.state = state;
    item.note = note;
    item.took = item.startedAt === undefined ? undefined : Math.max(0, this.now - item.startedAt);
  }

  #update(event: Extract<RunEvent, { id: string }>): void {
    const item = this.#items.get(event.id);
    if (item === undefined) return;
    switch (event.type) {
      case 'progress':
        item.note = safeLine(
          event.line === undefined
            ? event.text
            : `${event.text === '' ? '' : `${event.text} | `}${event.line}`,
        );
        break;
      case 'done':
        this.#finish(item, 'done', '');
        break;
      case 'failed':
      case 'unknown':
      case 'undo-failed':
        this.#finish(
          item,
          'failed',
          [event.error.message, ...errorDetails(event.error)].map(safeLine).join('\n'),
        );
        break;
      case 'attempt-failed':
        item.state = 'attention';
        item.note = safeLine(
          `${event.error.message}${event.retryAt === undefined ? '' : '; will try again'}`,
        );
        break;
      case 'suspended':
        item.state = 'attention';
        item.note = safeLine(
          event.approval === undefined
            ? `waits until ${event.until === undefined ? 'it is resumed' : new Date(event.until).toISOString()}`
            : `waits for an approval: ${event.approval.text}`,
        );
        break;
      case 'intended':
        item.state = 'running';
        if (event.undo) item.note = 'is being undone';
        break;
      case 'undone':
        this.#finish(item, 'skipped', `undone: ${safeLine(event.evidence)}`);
        break;
      case 'undo-skipped':
        item.note = safeLine(event.why);
        break;
      default:
    }
  }

  #banner(event: RunEvent): void {
    if (event.type === 'run-continued') {
      this.banner = '';
      this.exitCode = undefined;
    }
    if (event.type === 'run-finished') this.exitCode = event.exitCode;
    if (event.type === 'rollback-started') this.banner = safeLine(`rolling back: ${event.why}`);
    if (event.type === 'interrupted')
      this.banner = `${event.signal}: ${event.count === 1 ? 'the current operation finishes, nothing new starts (again: stop it)' : 'the running operation is asked to stop (again: leave at once)'}`;
    if (event.type === 'lock-lost') this.banner = safeLine(`lock lost: ${event.why}`);
  }

  /** 'Restart NVCF API (12s)'. `sinceEvent`: real milliseconds since the last event, for what still runs. */
  title(item: LiveItem, sinceEvent: number): string {
    const elapsed =
      item.took ??
      (item.startedAt === undefined || item.state === 'waiting'
        ? undefined
        : this.now - item.startedAt + sinceEvent);
    return elapsed === undefined || elapsed < 1000
      ? item.title
      : `${item.title} (${formatDuration(elapsed)})`;
  }
}
