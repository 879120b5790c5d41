import type { JournaledEvent, RunEvent, Session, TransientEvent } from '../../src/engine/run/event.ts';

export const session: Session = {
  actor: { user: 'alice@example.org', osUser: 'alice', host: 'bastion-1' },
  pid: 4711,
  startTime: 1,
  bootId: 'boot',
  tool: '0.0.0-test',
};

/** A run as the engine would emit it, one second between events. */
export function recorded(events: readonly (JournaledEvent | TransientEvent)[]): readonly RunEvent[] {
  return events.map((event, seq) => ({
    ...event,
    seq,
    time: new Date(Date.UTC(2026, 10, 22, 3, 0, seq)).toISOString(),
  }));
}

export const opened: JournaledEvent = {
  type: 'run-opened',
  version: 1,
  run: '20261122-030000-abcd',
  runbook: 'restart-service',
  title: 'Restart one control plane service',
  planDigest: 'd',
  session,
  reason: 'ticket 17',
  assumeYes: false,
  interactive: false,
  sandbox: true,
};

/** One read, one change, done. */
export const goodRun = recorded([
  opened,
  { type: 'locked', locks: ['nvcf/nvcf-api'] },
  {
    type: 'evaluated',
    id: '@preconditions',
    node: '',
    parent: '',
    block: 'preconditions',
    name: 'preconditions',
  },
  {
    type: 'evaluated',
    id: 'healthy',
    node: 'healthy',
    parent: '@preconditions',
    block: 'preconditions',
    name: 'Every pod is ready',
    effect: 'read',
    uses: 'kubectl.pods',
    summary: 'pods of nvcf-api',
  },
  { type: 'done', id: 'healthy', outputs: {}, applied: false },
  {
    type: 'evaluated',
    id: 'restart',
    node: 'restart',
    parent: '@steps',
    block: 'steps',
    name: 'Restart NVCF API',
    effect: 'change',
    uses: 'kubectl.rollout-restart',
    summary: 'restart Deployment nvcf/nvcf-api',
  },
  { type: 'intended', id: 'restart', operationKey: 'k', attempt: 1, deadline: 0, undo: false },
  { type: 'progress', id: 'restart', text: '0 of 1 pods updated' },
  { type: 'progress', id: 'restart', text: '0 of 1 pods updated' },
  { type: 'progress', id: 'restart', text: '1 of 1 pods updated' },
  { type: 'result', id: 'restart', outputs: {}, undo: false },
  { type: 'done', id: 'restart', outputs: { ready: 1 }, applied: true },
  {
    type: 'run-finished',
    outcome: 'done',
    exitCode: 0,
    outputs: { pods: '1 of 1 ready' },
    text: '1 change, 1 read',
  },
]);

/** A change whose pods crash; a terminal escape comes with the log line. */
export const badRun = recorded([
  opened,
  {
    type: 'evaluated',
    id: 'restart',
    node: 'restart',
    parent: '@steps',
    block: 'steps',
    name: 'Restart NVCF API',
    effect: 'change',
    uses: 'kubectl.rollout-restart',
  },
  {
    type: 'failed',
    id: 'restart',
    handling: 'rollback',
    error: {
      code: 'crash-loop',
      message: 'pod nvcf-api-1 crashes',
      hint: 'read the log',
      details: ['last log: \u001b]0;pwned\u0007<script>alert(1)</script> | x'],
    },
  },
  { type: 'rollback-started', why: 'restart failed' },
  { type: 'undo-skipped', id: 'restart', why: 'A restart changes nothing', irreversible: true },
  { type: 'run-finished', outcome: 'rolled-back', exitCode: 5, outputs: {}, text: 'failed and rolled back' },
]);
