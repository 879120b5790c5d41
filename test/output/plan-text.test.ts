import { describe, expect, test } from 'vitest';
import type { Planned } from '../../src/engine/plan/make-plan.ts';
import type { Plan } from '../../src/engine/plan/plan.ts';
import { planJson } from '../../src/output/plan-json.ts';
import { planSummary, planText } from '../../src/output/plan-text.ts';
import { wrapped } from '../../src/output/wrap.ts';

const plan: Plan = {
  version: 1,
  tool: '1.2.3',
  createdAt: '2024-01-02T03:04:05.000Z',
  runbook: {
    name: 'stop-service',
    title: 'Take a service offline',
    description: '',
    risk: 'high',
    path: 'runbooks/stop-service.yaml',
    digest: '',
    files: [],
  },
  inputSpecs: {},
  inputs: {
    service: { type: 'service', value: { name: 'nvcf-api', namespace: 'nvcf' }, given: true },
    timeout: { type: 'duration', value: '15m', given: false },
    token: { type: 'secret', from: { env: 'BAO_TOKEN' } },
  },
  cluster: { context: 'prod', server: 'https://10.0.0.1:6443', uid: 'u', version: 'v1.32.4' },
  sandbox: undefined,
  locks: ['nvcf/nvcf-api'],
  lockNamespace: 'runbook',
  blocks: { preconditions: [], steps: [], verifications: [], rollback: [] },
  outputs: {},
  forecast: [
    {
      id: 'healthy',
      depth: 0,
      block: 'preconditions',
      name: 'All pods are ready',
      uses: 'kubectl.pods',
      status: 'read',
    },
    {
      id: 'down',
      depth: 0,
      block: 'steps',
      name: 'Go down',
      status: 'group',
      duration: { min: 20_000, max: 60_000 },
    },
    {
      id: 'down/scale',
      depth: 1,
      block: 'steps',
      name: 'Scale nvcf-api to nothing',
      summary: 'scale Deployment nvcf/nvcf-api to 0',
      status: 'change',
      diff: [
        { path: 'spec.replicas', before: 3, after: 0 },
        { path: 'metadata.annotations.runbook.io/replicas-before', after: '3' },
      ],
      notes: ['a HorizontalPodAutoscaler owns the replicas'],
      confirm: 'Really stop nvcf-api?',
      undo: 'put back spec.replicas 3',
      duration: { min: 20_000, max: 60_000 },
    },
    {
      id: 'down/after',
      depth: 1,
      block: 'steps',
      name: 'down/after',
      status: 'unknown',
      reason: 'known after scale',
    },
    {
      id: 'gone',
      depth: 0,
      block: 'verifications',
      name: 'No pod is left',
      status: 'read-later',
      reason: 'known after scale',
    },
    {
      id: 'calm',
      depth: 0,
      block: 'rollback',
      name: 'Wait',
      status: 'unknown',
      reason: 'only in a rollback',
    },
  ],
  access: [],
  duration: { min: 20_000, max: 60_000, basis: 'predictions of 1 step' },
  digest: 'd',
};

const wide = { columns: 120, color: false };

describe('planText', () => {
  test('tells a tired operator what will happen, what is not known, and how it is undone', () => {
    expect(planText({ plan, problems: [] }, wide)).toBe(`Take a service offline
  runbook   stop-service (runbooks/stop-service.yaml)
  cluster   prod (https://10.0.0.1:6443), Kubernetes v1.32.4
  inputs    service = nvcf-api
            timeout = 15m (default)
            token = secret, from environment variable BAO_TOKEN
  risk      high
  locks     nvcf/nvcf-api
  takes     20s to 1m (predictions of 1 step), without the time people take to answer

Preconditions
  ✓ healthy  All pods are ready

Steps
  down  Go down  [20s to 1m]
    ~ scale  Scale nvcf-api to nothing  [20s to 1m]
        scale Deployment nvcf/nvcf-api to 0
        spec.replicas: 3 → 0
        metadata.annotations.runbook.io/replicas-before: (not set) → 3
        note: a HorizontalPodAutoscaler owns the replicas
        asks first: Really stop nvcf-api?
        undo: put back spec.replicas 3
    ? after
        (known after scale)

Verifications
  … gone  No pod is left
      (known after scale)

Rollback (only if changes have to be taken back)
  ? calm  Wait
      (only in a rollback)

~ changes   ? not known yet   ✓ read now   … read during the run
Plan: 1 change, 1 unknown, 1 read now, 1 later; nothing was changed
`);
  });

  test('says what stands in the way, where, and what to do', () => {
    const problems: Planned['problems'] = [
      {
        kind: 'access',
        message:
          'not allowed: patch deployments.apps "nvcf-api" in namespace nvcf, needed by putBack (undo of scale)',
        hint: 'ask for the role that "plan --access" prints, or use another account',
      },
      {
        kind: 'precondition',
        message: 'not ready',
        at: 'stop.yaml:4:5',
        details: ['pod a-1: CrashLoopBackOff'],
        waits: true,
      },
    ];
    const text = planText({ plan: { ...plan, forecast: [] }, problems }, wide);
    expect(text.slice(text.indexOf('What stands'))).toBe(`What stands in the way
  ✗ not allowed: patch deployments.apps "nvcf-api" in namespace nvcf, needed by putBack (undo of scale)
      next: ask for the role that "plan --access" prints, or use another account
  ✗ not ready
      pod a-1: CrashLoopBackOff
      at stop.yaml:4:5
      a run waits for it

Plan: 0 changes, 2 problems; nothing was changed
`);
  });

  test('is the same text with colour', () => {
    const plain = planText({ plan, problems: [] }, wide);
    const painted = planText({ plan, problems: [] }, { ...wide, color: true });
    expect(painted).not.toBe(plain);
    expect(painted.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), '')).toBe(plain);
  });

  test.each([40, 60, 80])('fits into %i columns and loses no word', (columns) => {
    const text = planText({ plan, problems: [] }, { columns, color: false });
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
    const letters = (all: string) => all.replaceAll(/\s/g, '');
    expect(letters(text)).toBe(letters(planText({ plan, problems: [] }, wide)));
  });

  test('lets nothing from outside act on the terminal', () => {
    const evil = 'x\u001b[2J\u202e\ny';
    const line = { id: 'a', depth: 0, block: 'steps', name: evil, status: 'change' } as const;
    const text = planText(
      {
        plan: {
          ...plan,
          forecast: [{ ...line, notes: [evil], diff: [{ path: evil, before: evil, after: evil }] }],
        },
        problems: [{ kind: 'read', message: evil, hint: evil, details: [evil] }],
      },
      wide,
    );
    expect(text).toContain('x\\x1b[2J\\u202e\\ny');
    expect([...text].filter((char) => char < ' ' && char !== '\n')).toEqual([]);
  });

  test('marks what is only added or only removed', () => {
    const line = { depth: 0, block: 'steps', name: 'x', status: 'change' } as const;
    const forecast = [
      { ...line, id: 'a', name: 'a', diff: [{ path: '', after: 'Deployment nvcf/a' }] },
      { ...line, id: 'b', name: 'b', diff: [{ path: '', before: 'Deployment nvcf/b' }] },
      { ...line, id: 'c', name: 'c', diff: [{ path: 'spec.paused', after: true }] },
    ];
    const text = planText({ plan: { ...plan, forecast }, problems: [] }, wide);
    expect(text.slice(text.indexOf('Steps'))).toBe(`Steps
  + a
      (not set) → "Deployment nvcf/a"
  - b
      "Deployment nvcf/b" → (not set)
  ~ c
      spec.paused: (not set) → true

~ changes   + adds   - removes
Plan: 3 changes; nothing was changed
`);
  });
});

test('the summary counts what a run does, not what only a rollback would do', () => {
  expect(planSummary(plan, [])).toBe('Plan: 1 change, 1 unknown, 1 read now, 1 later; nothing was changed');
});

test('JSON holds the plan, the problems and the exit code they lead to', () => {
  const problems = [{ kind: 'precondition' as const, message: 'bad \u001b[31m' }];
  const text = planJson({ plan, problems });
  expect(text).not.toContain('\u001b');
  const back = JSON.parse(text);
  expect(back.exitCode).toBe(4);
  expect(back.problems).toEqual(problems);
  expect(back.plan.digest).toBe('d');
});

test('text is broken between words, and a long word where the row ends', () => {
  expect(wrapped('one two three four', 10, 12)).toEqual(['one two', 'three four']);
  expect(wrapped('abcdefghijklmnop', 10, 10)).toEqual(['abcdefghij', 'klmnop']);
  expect(wrapped('', 10, 10)).toEqual(['']);
});
