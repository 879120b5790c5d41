import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../src/engine/canonical-json.ts';
import { parsePlan, serializePlan } from '../../../src/engine/plan/artefact.ts';
import { planDrift, sayDrift } from '../../../src/engine/plan/drift.ts';
import { SourceFile } from '../../../src/engine/source-file.ts';
import { runbook, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/plan-request.ts';
import { fakeWorld } from '../../fakes/plan-steps.ts';

const files = [new SourceFile('a.yaml', 'one'), new SourceFile('lib/b.yaml', 'two')];
const book = runbook([step('one', { with: { thing: 'a', value: 1 } })], { files, locks: ['zoo'] });

async function onePlan() {
  const { plan } = await planOf(book, fakeWorld({ a: 3 }));
  return plan;
}

describe('canonical JSON', () => {
  test('does not depend on the order in which an object was made', () => {
    expect(canonicalJson({ b: 1, a: [{ d: undefined, c: 'ä\n' }], 1: null })).toBe(
      '{"1":null,"a":[{"c":"ä\\n"}],"b":1}',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(object));
        expect(JSON.parse(canonicalJson(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
      { numRuns: 200 },
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, new Map()])('refuses %s', (value) => {
    expect(() => canonicalJson({ value })).toThrow(TypeError);
  });
});

describe('a saved plan', () => {
  test('comes back as it was, and is the same text for the same world', async () => {
    const plan = await onePlan();
    const text = serializePlan(plan);
    expect(serializePlan(await onePlan())).toBe(text);
    const parsed = parsePlan(text);
    expect(parsed).toEqual({ ok: true, plan: JSON.parse(JSON.stringify(plan)) });
    expect(parsed.ok && serializePlan(parsed.plan)).toBe(text);
  });

  test('with one character changed is refused', async () => {
    const text = serializePlan(await onePlan());
    const changed = text.replace('"value":1', '"value":0');
    expect(changed).not.toBe(text);
    expect(parsePlan(changed)).toEqual({
      ok: false,
      message: 'this plan was changed after it was written: its digest does not fit its content',
      hint: 'plan again; a plan is not edited by hand',
    });
    expect(parsePlan(JSON.stringify(JSON.parse(text), null, 2)).ok).toBe(true);
  });

  test.each([
    ['', 'this is no plan file'],
    ['apiVersion: runbook/v1', 'this is no plan file'],
    ['{"a":1}', 'this is no plan file'],
    ['{"version":2,"blocks":{}}', 'this plan has version 2, and this runbook reads version 1'],
  ])('%s is refused', (text, message) => {
    expect(parsePlan(text)).toMatchObject({ ok: false, message });
  });
});

describe('drift', () => {
  const cluster = { context: 'prod', server: 'https://one', uid: 'u1', version: 'v1' };

  test('is none while nothing moved; the folder and the server version do not matter', async () => {
    const plan = { ...(await onePlan()), cluster };
    const moved = files.map((file) => new SourceFile(`/elsewhere/${file.path}`, file.text));
    const present = { runbook: { files: moved }, tool: '1.2.3', cluster: { ...cluster, version: 'v2' } };
    expect(planDrift(plan, present)).toEqual([]);
  });

  test('names each thing that moved', async () => {
    const plan = { ...(await onePlan()), cluster };
    const [first] = files;
    const present = {
      runbook: { files: [first ?? new SourceFile('', ''), new SourceFile('lib/b.yaml', 'three')] },
      tool: '1.3.0',
      cluster: { ...cluster, uid: 'u2' },
    };
    expect(planDrift(plan, present).map(sayDrift)).toEqual([
      'include lib/b.yaml changed: was 3fc4ccfe7458, is 8b5b9db0c13d',
      'runbook program changed: was 1.2.3, is 1.3.0',
      'cluster changed: was prod (https://one, kube-system u1), is prod (https://one, kube-system u2)',
    ]);
    expect(planDrift(plan, { ...present, cluster: undefined }).map(({ now }) => now)).toContain('none');
  });

  test('sees an include that came or went', async () => {
    const plan = await onePlan();
    const present = { runbook: { files: files.slice(0, 1) }, tool: '1.2.3', cluster: plan.cluster };
    expect(planDrift(plan, present)).toEqual([
      { what: 'include lib/b.yaml', was: '3fc4ccfe7458', now: 'not there' },
    ]);
  });
});
