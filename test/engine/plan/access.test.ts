import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import { KubernetesError } from '../../../src/services/kubernetes.ts';
import { read, runbook, step } from '../../fakes/plan-nodes.ts';
import { lines, planOf } from '../../fakes/plan-request.ts';
import { fakeServices, fakeWorld } from '../../fakes/plan-steps.ts';

const set = (thing: string, value: number | string) => ({ with: { thing, value } });

function forbidden(): KubernetesError {
  const message = 'things "a" is forbidden: User "ada" cannot get resource "things"';
  return new KubernetesError(message, {
    status: 403,
    reason: 'Forbidden',
    outcome: 'not-applied',
    retryable: false,
  });
}

function unreachable(): KubernetesError {
  const message = 'the API server https://cluster does not answer';
  return new KubernetesError(message, { reason: 'Unreachable', outcome: 'not-applied', retryable: true });
}

describe('permissions', () => {
  test('of a rollback that would be refused are found before the first change', async () => {
    const steps = [step('one', { ...set('a', 1), rollback: [step('putBack', set('spare', 1))] })];
    const { services } = fakeServices((question) => /^patch things (spare|\*)$/.test(question));
    const { plan, problems } = await planOf(runbook(steps), fakeWorld({ a: 3 }), { services });
    expect(lines(plan.forecast)).toEqual(['one change']);
    expect(problems).toEqual([
      {
        kind: 'access',
        message: 'not allowed: patch things.apps "spare" in namespace fake, needed by putBack (undo of one)',
        hint: 'ask for the role that "plan --access" prints, or use another account',
      },
    ]);
  });

  test('of the rollback block, of verify steps and of the run itself count too', async () => {
    const verify = [read('check', { with: { thing: 'v' } })];
    const book = runbook([step('one', { ...set('a', 1), verify })], {
      rollback: [read('calm', { with: { thing: 'r' } })],
      locks: ['zoo'],
    });
    const refused = ['get things *', 'get things v', 'get things r', 'patch leases *'];
    const { services } = fakeServices((question) => refused.includes(question));
    const { problems } = await planOf(book, fakeWorld({ a: 3 }), { services });
    expect(problems.map((problem) => problem.message)).toEqual([
      'not allowed: get things.apps "r" in namespace fake, needed by calm',
      'not allowed: get things.apps "v" in namespace fake, needed by check (verification of one)',
      'not allowed: patch leases.coordination.k8s.io in namespace runbook, needed by the run itself',
    ]);
  });

  test('on many things of a kind are asked as one question, and one by one only when that is refused', async () => {
    const steps = ['a', 'b', 'c'].map((thing) => read(`read${thing}`, { with: { thing } }));
    const world = fakeWorld({ a: 1, b: 1, c: 1 });
    const allowed = fakeServices();
    await planOf(runbook(steps), world, { services: allowed.services });
    expect(allowed.asked.filter((question) => question.includes('things'))).toEqual(['get things *']);
    const held = fakeServices((question) => /^get things [*b]$/.test(question));
    const { problems } = await planOf(runbook(steps), world, { services: held.services });
    expect(problems.map((problem) => problem.message)).toEqual([
      'not allowed: get things.apps "b" in namespace fake, needed by readb',
    ]);
  });

  test('for things that only a step will tell are noted, not guessed', async () => {
    const steps = [step('first', set('a', 1)), step('second', set('{{steps.first.outputs.name}}', 1))];
    const { services, asked } = fakeServices();
    const { plan } = await planOf(runbook(steps), fakeWorld({ a: 3 }), { services });
    expect(asked.filter((question) => question.startsWith('patch'))).toEqual(['patch things *']);
    const opaque = { uses: 'fake.opaque', ...set('{{steps.first.outputs.name}}', 1) };
    const placed = await planOf(
      runbook([step('first', set('a', 1)), step('third', opaque)]),
      fakeWorld({ a: 3 }),
    );
    expect(placed.plan.forecast[1]?.notes).toEqual([
      'its permissions can only be checked when its inputs are known',
    ]);
    expect(placed.plan.access.filter((access) => JSON.stringify(access).includes('"one"'))).toEqual([]);
    expect(JSON.stringify(plan.access)).not.toContain('known after');
  });

  test('of secret inputs belong to the run', async () => {
    const from = { kubernetes: { namespace: 'bao', name: 'token', key: 'value' } };
    const { services } = fakeServices((question) => question === 'get secrets token');
    const book = runbook([read('one', { with: { thing: 'a' } })]);
    const { problems } = await planOf(book, fakeWorld({ a: 1 }), {
      services,
      secretSources: { token: from },
    });
    expect(problems.map((problem) => problem.message)).toEqual([
      'not allowed: get secrets "token" in namespace bao, needed by input token',
    ]);
  });

  test('of a service that is looked up by its name are those on every kind that it may have', async () => {
    const book = {
      ...runbook([read('one', { with: { thing: 'a' } })]),
      inputs: { proxy: { type: 'service' as const, description: '' } },
    };
    const kinds = { kind: 'Deployment' as const, otherKinds: ['DaemonSet' as const] };
    const inventory = { services: new Map([['grpc-proxy', { ...kinds } as never]]) };
    const { services } = fakeServices((question) => question === 'list daemonsets *');
    const { plan, problems } = await planOf(book, fakeWorld({ a: 1 }), {
      services,
      inventory,
      service: { proxy: { name: 'grpc-proxy', namespace: 'nvcf', kind: 'Deployment', otherKinds: [] } },
    });
    expect(problems.map((problem) => problem.message)).toEqual([
      'not allowed: list daemonsets.apps in namespace nvcf, needed by input proxy',
    ]);
    expect(plan.access).toContainEqual({
      system: 'kubernetes',
      verb: 'list',
      group: 'apps',
      resource: 'deployments',
      namespace: 'nvcf',
    });
  });
});

describe('a secret', () => {
  const from = { env: 'TOKEN' };

  function deferred(fetch: () => Promise<Secret>) {
    return { secretSources: { token: from }, secrets: { token: Secret.deferred('token', fetch) } };
  }

  test('is fetched for a step that is asked now, and for no other', async () => {
    const fetched: string[] = [];
    const more = deferred(async () => {
      fetched.push('token');
      return Secret.fromText('token', 'hunter2');
    });
    const uses = read('one', { with: { thing: 'a', token: '{{inputs.token}}' } });
    const first = await planOf(runbook([uses]), fakeWorld({ a: 1 }), more);
    expect([lines(first.plan.forecast), fetched]).toEqual([['one read'], ['token']]);
    expect(JSON.stringify(first.plan)).not.toContain('hunter2');
    const later = runbook([step('zero', set('a', 2)), uses]);
    const more2 = deferred(() => Promise.reject(new Error('asked')));
    expect(lines((await planOf(later, fakeWorld({ a: 1 }), more2)).plan.forecast)).toEqual([
      'zero change',
      'one read-later: known after zero',
    ]);
  });

  test('that cannot be had says so at the step that needs it', async () => {
    const more = deferred(() => Promise.reject(forbidden()));
    const uses = read('one', { with: { thing: 'a', token: '{{inputs.token}}' } });
    const { problems } = await planOf(runbook([uses]), fakeWorld({ a: 1 }), more);
    expect(problems.map(({ kind, instance }) => [kind, instance])).toEqual([['forbidden', 'one']]);
  });
});

describe('a call that is refused or not answered', () => {
  test('is a problem, whatever the step was', async () => {
    const world = fakeWorld({ a: 1, b: 1 });
    world.failures.set('a', forbidden());
    const { plan, problems } = await planOf(
      runbook([step('one', set('a', 2)), step('two', set('b', 2))]),
      world,
    );
    expect(lines(plan.forecast)).toEqual([
      'one unknown: things "a" is forbidden: User "ada" cannot get resource "things"',
      'two change',
    ]);
    expect(problems.map(({ kind, instance }) => [kind, instance])).toEqual([['forbidden', 'one']]);
  });

  test('ends the questions when nobody answers at all, and is told once', async () => {
    const world = fakeWorld({ a: 1, b: 1 });
    world.failures.set('a', new Error('predict failed', { cause: unreachable() }));
    const steps = [
      read('zero', { with: { thing: 'a' } }),
      step('one', set('a', 2)),
      read('two', { with: { thing: 'b' } }),
    ];
    const { services, asked } = fakeServices();
    const { plan, problems } = await planOf(runbook(steps), world, { services });
    const why = 'not asked: the cluster gave no answer before';
    expect(lines(plan.forecast)).toEqual([
      'zero failed: predict failed',
      `one unknown: ${why}`,
      `two read-later: ${why}`,
    ]);
    expect(problems.map(({ kind }) => kind)).toEqual(['unreachable']);
    expect(asked).toEqual([]);
  });
});
