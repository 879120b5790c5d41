import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rehearsalText } from '../../src/output/rehearsal-text.ts';
import type { Rehearsal } from '../../src/rehearsal/rehearsal.ts';
import { runbookOf } from '../cli/runbooks.ts';
import { rehearseFile } from './shipped.ts';

const env = (id: string, rest = '', value = 'debug') => `  - id: ${id}
    uses: kubectl.set-env
    with: {kind: Deployment, name: invocation-service, namespace: nvcf, container: helm-nvcf-invocation-service, env: {LOG_LEVEL: ${value}}}
    timeout: 10m
${rest}`;
/** Steps that undo nothing. */
const NOTHING = '    rollback:\n      - {id: nothing, uses: note, with: {text: Nothing is undone}}\n';
const scale = (id: string, rest = '') => `  - id: ${id}
    uses: kubectl.scale
    with: {kind: Deployment, name: notary-service, namespace: nvcf, replicas: 2}
    timeout: 10m
${rest}`;

async function rehearseText(text: string): Promise<Rehearsal> {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-rehearsed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'own.yaml');
  writeFileSync(file, text);
  return await rehearseFile(file);
}

function verdicts({ rows }: Rehearsal): readonly string[] {
  return rows.map(({ step, way, verdict, struck }) => `${step} ${way} ${verdict}${struck ? '' : ' -'}`);
}

test('what undoes itself is brought back, whatever fails', { timeout: 120_000 }, async () => {
  const rehearsal = await rehearseText(runbookOf(env('level') + scale('more')));
  expect(verdicts(rehearsal)).toEqual([
    '(the whole run) none restored',
    ...['level', 'more'].flatMap((step) =>
      ['error', 'timeout', 'crash-before', 'crash-after', 'lost-answer'].map(
        (way) => `${step} ${way} restored`,
      ),
    ),
  ]);
});

test('a step whose rollback does nothing is named, with the fields that differ', {
  timeout: 120_000,
}, async () => {
  const rehearsal = await rehearseText(runbookOf(env('level', NOTHING) + scale('more')));
  const bad = rehearsal.rows.filter(({ verdict }) => verdict !== 'restored');
  expect(bad.map(({ step, way }) => `${step} ${way}`)).toEqual([
    '(the whole run) none',
    'level crash-after',
    'level lost-answer',
    'more error',
    'more timeout',
    'more crash-before',
    'more crash-after',
    'more lost-answer',
  ]);
  for (const { unrestored } of bad) expect(unrestored.map(({ step }) => step)).toContain('level');
  const text = rehearsalText(rehearsal, { columns: 200, color: false });
  expect(text).toMatch(
    /Deployment nvcf\/invocation-service {2}spec\.template\.spec\.containers\[helm-nvcf-invocation-service\]\.env\[LOG_LEVEL\]\.value: \(none\) → debug/,
  );
  expect(text).toContain('8 of 11 rollbacks do not bring everything back.');
});

test('what is declared is told apart, and a declaration covers no other step', {
  timeout: 120_000,
}, async () => {
  const kept = '    rollback: {irreversible: The level stays}\n';
  const rehearsal = await rehearseText(runbookOf(env('level', kept) + scale('more', NOTHING)));
  const at = (step: string, way: string) =>
    rehearsal.rows.find((row) => row.step === step && row.way === way);
  expect(at('level', 'crash-before')?.verdict).toBe('restored');
  expect(at('level', 'crash-after')).toMatchObject({
    verdict: 'kept',
    ended: 'killed',
    exitCode: 5,
    kept: [{ step: 'level', why: 'The level stays' }],
  });
  expect(at('more', 'error')?.verdict).toBe('kept');
  expect(at('more', 'lost-answer')).toMatchObject({
    verdict: 'not-restored',
    kept: [{ step: 'level' }],
    unrestored: [{ step: 'more' }],
  });
});

test('steps of a rollback fail too, on the way back, and it goes on', { timeout: 120_000 }, async () => {
  const back = `    rollback:
      - id: back
        uses: kubectl.scale
        with: {kind: Deployment, name: notary-service, namespace: nvcf, replicas: 1}
        timeout: 10m
`;
  const rehearsal = await rehearseText(runbookOf(scale('more', back)));
  expect(rehearsal.steps.map(({ id, undo }) => [id, undo])).toEqual([
    ['more', false],
    ['more~undo/back', true],
  ]);
  expect(verdicts(rehearsal).filter((row) => !row.endsWith('restored'))).toEqual([]);
  expect(rehearsal.rows.filter(({ step, struck }) => step === 'more~undo/back' && struck)).toHaveLength(5);
});

test('elements, approvals and long waits come to their turn; what does not is said', {
  timeout: 120_000,
}, async () => {
  const steps = `  - {id: agreed, uses: approve, with: {text: Really}}
  - {id: later, uses: wait, with: {for: 30h}}
  - id: each
    forEach: [notary-service, invocation-service]
    uses: kubectl.scale
    with: {kind: Deployment, name: "{{item}}", namespace: nvcf, replicas: 2}
    timeout: 10m
  - id: never
    when: run.id == "other"
    uses: kubectl.scale
    with: {kind: Deployment, name: nvcf-api, namespace: nvcf, replicas: 2}
    timeout: 10m
`;
  const rehearsal = await rehearseText(runbookOf(steps));
  expect(rehearsal.steps.map(({ id }) => id)).toEqual(['each[notary-service]', 'each[invocation-service]']);
  expect(rehearsal.notReached).toEqual(['never']);
  expect(verdicts(rehearsal).filter((row) => !row.endsWith('restored'))).toEqual([]);
});

test('twice is the same to the letter', { timeout: 120_000 }, async () => {
  const text = runbookOf(env('level') + scale('more'));
  expect(JSON.stringify(await rehearseText(text))).toBe(JSON.stringify(await rehearseText(text)));
});
