import { formatDuration } from '../engine/duration.ts';
import type { Json, JsonObject } from '../engine/json.ts';
import type { Plan } from '../engine/plan/plan.ts';
import type { RunEvent } from '../engine/run/event.ts';
import { EventNarrator } from './event-text.ts';

/** One line of the report's step table. */
export interface ReportStep {
  readonly id: string;
  readonly name: string;
  readonly uses: string | undefined;
  readonly verdict: string;
  readonly started: string;
  readonly seconds: number | undefined;
  readonly notes: readonly string[];
}

/** What a run was and did, ready to be written in any format. Built from plan and journal only. */
export interface Report {
  readonly version: 1;
  readonly run: string;
  readonly runbook: {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly risk: string;
    readonly digest: string;
    readonly path: string;
  };
  readonly cluster: string;
  readonly outcome: string;
  readonly exitCode: number | undefined;
  readonly text: string;
  readonly started: string;
  readonly ended: string;
  readonly seconds: number;
  readonly people: readonly string[];
  readonly reason: string | undefined;
  readonly change: string | undefined;
  readonly inputs: Readonly<Record<string, Json>>;
  readonly steps: readonly ReportStep[];
  readonly timeline: readonly {
    readonly time: string;
    readonly id: string;
    readonly verdict: string;
    readonly text: string;
    readonly details: readonly string[];
  }[];
  readonly outputs: JsonObject;
}

const verdicts: Readonly<Partial<Record<RunEvent['type'], string>>> = {
  done: 'ok',
  failed: 'failed',
  skipped: 'skipped',
  unknown: 'unknown',
  undone: 'undone',
  'undo-failed': 'not undone',
};

function reportSteps(events: readonly RunEvent[]): readonly ReportStep[] {
  const steps = new Map<string, ReportStep>();
  for (const event of events) {
    if (event.type === 'evaluated' && event.uses !== undefined) {
      steps.set(event.id, {
        id: event.id,
        name: event.name,
        uses: event.uses,
        verdict: 'unfinished',
        started: event.time,
        seconds: undefined,
        notes: event.summary === undefined ? [] : [event.summary],
      });
    }
    if (event.type === 'skipped')
      steps.set(event.id, {
        id: event.id,
        name: event.name,
        uses: undefined,
        verdict: 'skipped',
        started: event.time,
        seconds: 0,
        notes: [event.text],
      });
    const verdict = verdicts[event.type];
    if (verdict === undefined || !('id' in event)) continue;
    const step = steps.get(event.id);
    if (step === undefined || event.type === 'skipped') continue;
    const note =
      'error' in event
        ? [
            event.error.message,
            ...(event.error.details ?? []),
            ...(event.error.hint === undefined ? [] : [`next: ${event.error.hint}`]),
          ]
        : [];
    steps.set(event.id, {
      ...step,
      verdict: event.type === 'done' && !event.applied ? 'ok' : verdict,
      seconds: (Date.parse(event.time) - Date.parse(step.started)) / 1000,
      notes: [...step.notes, ...note],
    });
  }
  return [...steps.values()];
}

function people(events: readonly RunEvent[]): readonly string[] {
  const found = events.flatMap((event) => {
    if (event.type === 'run-opened' || event.type === 'run-continued')
      return [
        `${event.type === 'run-opened' ? 'started' : event.mode} by ${event.session.actor.user ?? 'unknown'} (${event.session.actor.osUser}@${event.session.actor.host})`,
      ];
    if (event.type === 'answered')
      return [
        `${event.kind} answered '${event.answer}' ${event.byYes ? 'by --yes' : `by ${event.actor.user ?? event.actor.osUser}`} at ${event.time}`,
      ];
    if (event.type === 'approved')
      return [
        `${event.id} approved by ${event.actor.user ?? event.actor.osUser} at ${event.time}: ${event.reason}`,
      ];
    return [];
  });
  return [...new Set(found)];
}

export function buildReport(plan: Plan, events: readonly RunEvent[]): Report {
  const narrator = new EventNarrator();
  const timeline = events.flatMap((event) => {
    const text = narrator.narrate(event);
    return text === undefined
      ? []
      : [{ time: event.time, id: text.id, verdict: text.verdict, text: text.text, details: text.details }];
  });
  const opened = events.find((event) => event.type === 'run-opened');
  const finished = events.findLast((event) => event.type === 'run-finished');
  const started = events[0]?.time ?? '';
  const ended = events.at(-1)?.time ?? '';
  return {
    version: 1,
    run: opened?.run ?? '',
    runbook: {
      name: plan.runbook.name,
      title: plan.runbook.title,
      description: plan.runbook.description,
      risk: plan.runbook.risk,
      digest: plan.runbook.digest,
      path: plan.runbook.path,
    },
    cluster:
      plan.cluster === undefined
        ? 'none'
        : `${plan.cluster.context} (${plan.cluster.server}, ${plan.cluster.uid})`,
    outcome: finished?.outcome ?? 'unfinished',
    exitCode: finished?.exitCode,
    text: finished?.text ?? 'the run has not ended; runbook resume continues it',
    started,
    ended,
    seconds: Math.max(0, (Date.parse(ended) - Date.parse(started)) / 1000),
    people: people(events),
    reason: opened?.reason,
    change: opened?.change,
    inputs: Object.fromEntries(
      Object.entries(plan.inputs).map(([name, input]) => [
        name,
        input.type === 'secret' ? '«secret»' : input.value,
      ]),
    ),
    steps: reportSteps(events),
    timeline,
    outputs: finished?.outputs ?? {},
  };
}

/** '1m20s' for the tables. */
export function seconds(value: number | undefined): string {
  return value === undefined ? '' : formatDuration(Math.round(value * 1000));
}

/** The facts at the top, label and value. */
export function reportFacts(report: Report): readonly (readonly [string, string])[] {
  return [
    [
      'Runbook',
      `${report.runbook.name} (${report.runbook.path}, sha256 ${report.runbook.digest.slice(0, 12)})`,
    ],
    ['Run', report.run],
    ['Cluster', report.cluster],
    ['Outcome', `${report.outcome}${report.exitCode === undefined ? '' : `, exit code ${report.exitCode}`}`],
    ['Verdict', report.text],
    ['Started', report.started],
    ['Last event', `${report.ended} (${seconds(report.seconds)})`],
    ...report.people.map((person) => ['Who', person] as const),
    ...(report.reason === undefined ? [] : [['Reason', report.reason] as const]),
    ...(report.change === undefined ? [] : [['Change', report.change] as const]),
    ...Object.entries(report.inputs).map(
      ([name, value]) =>
        [`Input ${name}`, typeof value === 'string' ? value : JSON.stringify(value)] as const,
    ),
  ];
}
