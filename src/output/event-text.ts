import { formatDuration } from '../engine/duration.ts';
import type { RunError, RunEvent } from '../engine/run/event.ts';

/** How a line should look; renderers map it to colour or a mark. */
export type Tone = 'start' | 'good' | 'bad' | 'attention' | 'neutral' | 'quiet';

export interface EventText {
  readonly tone: Tone;
  /** One word for a fixed column: 'ok', 'FAILED', 'skipped'. */
  readonly verdict: string;
  /** The step it is about; empty for the run itself. */
  readonly id: string;
  readonly text: string;
  /** Further lines, indented by the renderer. */
  readonly details: readonly string[];
}

export function errorDetails(error: RunError): readonly string[] {
  return [...(error.details ?? []), ...(error.hint === undefined ? [] : [`next: ${error.hint}`])];
}

interface StepInfo {
  readonly name: string;
  readonly startedAt: number;
  readonly leaf: boolean;
}

/** Words for events: the one place where the wording of a run lives. Remembers names and start times. */
export class EventNarrator {
  readonly #steps = new Map<string, StepInfo>();
  readonly #counts = { changed: 0, read: 0, skipped: 0, failed: 0 };
  #startedAt: number | undefined;

  /** Undefined for events that say nothing to a reader. */
  narrate(event: RunEvent): EventText | undefined {
    this.#startedAt ??= Date.parse(event.time);
    this.#count(event);
    if (event.type === 'evaluated') return this.#evaluated(event);
    return this.#run(event) ?? this.#step(event) ?? this.#rollback(event) ?? this.#people(event);
  }

  /** '1 changed, 3 read, 1 skipped, took 44s' */
  summary(time: string): string {
    const counted = Object.entries(this.#counts).flatMap(([what, count]) =>
      count === 0 ? [] : [`${count} ${what}`],
    );
    const took = `took ${formatDuration(Date.parse(time) - (this.#startedAt ?? Date.parse(time)))}`;
    return [...counted, took].join(', ');
  }

  #count(event: RunEvent): void {
    if (event.type === 'skipped') this.#counts.skipped++;
    if (event.type === 'failed' && this.#steps.get(event.id)?.leaf === true) this.#counts.failed++;
    if (event.type === 'done' && this.#steps.get(event.id)?.leaf === true)
      this.#counts[event.applied ? 'changed' : 'read']++;
  }

  name(id: string): string {
    return this.#steps.get(id)?.name ?? id;
  }

  #took(id: string, event: RunEvent): string {
    const step = this.#steps.get(id);
    return step === undefined
      ? ''
      : ` (${formatDuration(Math.max(0, Date.parse(event.time) - step.startedAt))})`;
  }

  #evaluated(event: RunEvent & { type: 'evaluated' }): EventText | undefined {
    const leaf = event.uses !== undefined;
    this.#steps.set(event.id, { name: event.name, startedAt: Date.parse(event.time), leaf });
    if (event.id.startsWith('@')) return undefined;
    const what =
      event.summary === undefined || event.summary === event.name
        ? event.name
        : `${event.name}: ${event.summary}`;
    return line(leaf ? 'start' : 'quiet', leaf ? 'start' : 'group', event.id, what);
  }

  #run(event: RunEvent): EventText | undefined {
    switch (event.type) {
      case 'run-opened':
        return line(
          'neutral',
          'run',
          '',
          `${event.run}: ${event.title} (by ${event.session.actor.user ?? event.session.actor.osUser}, ${event.session.actor.osUser}@${event.session.actor.host})`,
          [
            ...(event.reason === undefined ? [] : [`reason: ${event.reason}`]),
            ...(event.change === undefined ? [] : [`change: ${event.change}`]),
          ],
        );
      case 'run-continued':
        return line(
          'neutral',
          event.mode,
          '',
          `continued by ${event.session.actor.user ?? event.session.actor.osUser} (${event.session.actor.osUser}@${event.session.actor.host})${event.flags.length === 0 ? '' : ` with ${event.flags.join(' ')}`}`,
        );
      case 'locked':
        return event.locks.length === 0
          ? undefined
          : line('quiet', 'lock', '', `holds ${event.locks.join(', ')}`);
      case 'lock-lost':
        return line('bad', 'LOCK LOST', '', `${event.lock}: ${event.why}`);
      case 'tail-repaired':
        return line(
          'attention',
          'repaired',
          '',
          `the journal ended in ${event.bytes} torn bytes; they are kept in ${event.keptIn}`,
        );
      case 'warning':
        return line('attention', 'warning', '', event.message);
      case 'interrupted':
        return line(
          'attention',
          event.signal,
          '',
          [
            'the current operation finishes, nothing new starts',
            'the running operation is asked to stop',
            'stopping at once; the outcome is recorded as unknown',
          ][Math.min(event.count, 3) - 1] ?? '',
        );
      case 'run-finished':
        return line(
          event.exitCode === 0 ? 'good' : event.outcome === 'waiting' ? 'attention' : 'bad',
          event.outcome,
          '',
          event.outcome === 'done' ? this.summary(event.time) : event.text,
          event.outcome === 'done' ? [] : [this.summary(event.time)],
        );
      default:
        return undefined;
    }
  }

  #step(event: RunEvent): EventText | undefined {
    switch (event.type) {
      case 'skipped':
        return line('quiet', 'skipped', event.id, `${event.name}: ${event.text}`);
      case 'intended':
        return event.attempt > 1
          ? line('neutral', `try ${event.attempt}`, event.id, this.name(event.id))
          : undefined;
      case 'observed':
        return event.phase === 'before' && event.state === 'not-applied'
          ? undefined
          : line('quiet', event.state, event.id, event.evidence);
      case 'attempt-failed':
        return line(
          'attention',
          'failed once',
          event.id,
          `${event.error.message}${event.retryAt === undefined ? '' : `; tries again at ${new Date(event.retryAt).toISOString().slice(11, 19)}`}`,
          errorDetails(event.error),
        );
      case 'polling':
        return line(
          'quiet',
          'waits',
          event.id,
          `until ${new Date(event.deadline).toISOString().slice(11, 19)} UTC at the latest`,
        );
      case 'progress':
        return line('quiet', '...', event.id, event.line ?? event.text);
      case 'done': {
        const step = this.#steps.get(event.id);
        if (event.id.startsWith('@') || step?.leaf !== true) return undefined;
        return line('good', 'ok', event.id, `${this.name(event.id)}${this.#took(event.id, event)}`);
      }
      case 'failed':
        return event.id.startsWith('@')
          ? undefined
          : line(
              'bad',
              'FAILED',
              event.id,
              `${this.name(event.id)}: ${event.error.message}${this.#took(event.id, event)}`,
              errorDetails(event.error),
            );
      case 'unknown':
        return line(
          'bad',
          'UNKNOWN',
          event.id,
          `${this.name(event.id)}: ${event.error.message}`,
          errorDetails(event.error),
        );
      default:
        return undefined;
    }
  }

  #rollback(event: RunEvent): EventText | undefined {
    switch (event.type) {
      case 'rollback-started':
        return line('attention', 'rollback', '', event.why);
      case 'undone':
        return line('good', 'undone', event.id, `${this.name(event.id)}: ${event.evidence}`);
      case 'undo-skipped':
        return line(
          event.irreversible ? 'attention' : 'quiet',
          event.irreversible ? 'kept' : 'skipped',
          event.id,
          `${this.name(event.id)}: ${event.why}`,
        );
      case 'undo-failed':
        return line(
          'bad',
          'NOT UNDONE',
          event.id,
          `${this.name(event.id)}: ${event.error.message}`,
          errorDetails(event.error),
        );
      default:
        return undefined;
    }
  }

  #people(event: RunEvent): EventText | undefined {
    switch (event.type) {
      case 'suspended':
        return line(
          'attention',
          'waits',
          event.id,
          event.approval === undefined
            ? `until ${event.until === undefined ? 'it is resumed' : new Date(event.until).toISOString()}`
            : `for an approval: ${event.approval.text}`,
        );
      case 'approved':
        return line(
          'good',
          'approved',
          event.id,
          `by ${event.actor.user ?? event.actor.osUser}: ${event.reason}`,
        );
      case 'asked':
        return line('attention', 'asks', event.id, event.question);
      case 'answered':
        return line(
          'neutral',
          'answer',
          event.id,
          `${event.answer}, ${event.byYes ? 'by --yes' : `by ${event.actor.user ?? event.actor.osUser}`}`,
        );
      default:
        return undefined;
    }
  }
}

function line(
  tone: Tone,
  verdict: string,
  id: string,
  text: string,
  details: readonly string[] = [],
): EventText {
  return { tone, verdict, id, text, details };
}
