import { describe, expect, test } from 'vitest';
import { parseFault } from '../../src/sandbox/faults.ts';
import { SandboxError } from '../../src/sandbox/world-file.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { get, never, openLab, ref } from './rig.ts';

const configMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'box', namespace: 'lab' },
  data: { a: '1' },
};
const change = { type: 'merge', body: { data: { a: '2' } } } as const;
const target = ref(kinds.configMaps, 'box');

async function opened(faults: readonly string[] = []) {
  const lab = await openLab({ faults: faults.map(parseFault) });
  await lab.services.kubernetes.create(configMap);
  const value = async () => (await get(lab, kinds.configMaps, 'box')).data?.a;
  return { lab, value, kubernetes: lab.services.kubernetes };
}

describe('trouble with the API server', () => {
  test('a 5xx on a write leaves the outcome open; the change was made or not', async () => {
    const { lab, value, kubernetes } = await opened();
    lab.control.trouble({ verb: 'patch', status: 500 });
    await expect(kubernetes.patch(target, change)).rejects.toMatchObject({ status: 500, outcome: 'unknown' });
    expect(await value()).toBe('1');
    lab.control.trouble({ verb: 'patch', status: 503, applied: true });
    await expect(kubernetes.patch(target, change)).rejects.toMatchObject({ status: 503, outcome: 'unknown' });
    expect(await value()).toBe('2');
  });

  test('429 changed nothing and says when to come back', async () => {
    const { lab, value, kubernetes } = await opened();
    lab.control.trouble({ verb: 'patch', status: 429 });
    await expect(kubernetes.patch(target, change)).rejects.toMatchObject({
      status: 429,
      outcome: 'not-applied',
      retryable: true,
      retryAfter: 1_000,
    });
    expect(await value()).toBe('1');
  });

  test('a read is repeated over short trouble, and virtual time pays for it', async () => {
    const { lab, value } = await opened();
    const begun = lab.services.clock.now();
    lab.control.trouble({ verb: 'get', resource: 'configmaps', status: 503, times: 2 });
    expect(await value()).toBe('1');
    expect(lab.services.clock.now() - begun).toBe(1_250);
  });

  test('an outage refuses writes as not applied, and following goes on after it', async () => {
    const { lab, kubernetes } = await opened();
    const seen: unknown[] = [];
    for await (const [found] of kubernetes.follow(kinds.configMaps, { namespace: 'lab' }, never)) {
      seen.push(found?.data?.a);
      if (seen.length === 2) break;
      lab.control.outage(20_000);
      await expect(kubernetes.patch(target, change)).rejects.toMatchObject({
        reason: 'Unreachable',
        outcome: 'not-applied',
      });
      lab.services.clock.sleep(25_000, never).then(
        () => kubernetes.patch(target, change),
        () => undefined,
      );
    }
    expect(seen).toEqual(['1', '2']);
  });

  test('what is denied is a 403 and told by access reviews', async () => {
    const { lab, value, kubernetes } = await opened();
    const access = {
      system: 'kubernetes',
      verb: 'patch',
      group: '',
      resource: 'configmaps',
      namespace: 'lab',
    } as const;
    lab.control.deny({ verb: 'patch', resource: 'configmaps', namespace: 'lab' });
    await expect(kubernetes.patch(target, change)).rejects.toThrow(
      /User "sandbox" cannot patch resource "configmaps" in API group "" in the namespace "lab"/,
    );
    expect(await kubernetes.canI([access, { ...access, namespace: 'nvcf' }])).toMatchObject([
      { allowed: false },
      { allowed: true },
    ]);
    lab.control.allow();
    await kubernetes.patch(target, change);
    expect(await value()).toBe('2');
  });
});

describe('planned faults', () => {
  test.each([
    ['restart=error', { step: 'restart', kind: 'error' }],
    ['all[nvcf=a]/restart=lost-answer', { step: 'all[nvcf=a]/restart', kind: 'lost-answer' }],
  ])('%s', (text, fault) => {
    expect(parseFault(text)).toEqual(fault);
  });

  test.each(['restart', '=error', 'restart=explode', ''])('%j is refused with the list of kinds', (text) => {
    expect(() => parseFault(text)).toThrow(SandboxError);
    try {
      parseFault(text);
    } catch (failure) {
      expect((failure as SandboxError).hint).toContain(
        'error, timeout, crash-before, crash-after, lost-answer',
      );
    }
  });

  test('a lost answer: the change is made once, and only its step is told that nobody knows', async () => {
    const { lab, value } = await opened(['change=lost-answer']);
    const other = lab.servicesFor('other').kubernetes;
    await other.patch(target, { type: 'merge', body: { data: { b: '1' } } });
    const own = lab.servicesFor('change').kubernetes;
    await own.get(target);
    await expect(own.patch(target, change)).rejects.toMatchObject({
      outcome: 'unknown',
      reason: 'Unreachable',
    });
    expect(await value()).toBe('2');
    await own.patch(target, { type: 'merge', body: { data: { a: '3' } } });
    expect(await value()).toBe('3');
  });

  test('services without an instance lose the answer while the instance is at work', async () => {
    const { lab, kubernetes } = await opened(['change=lost-answer']);
    await kubernetes.patch(target, { type: 'merge', body: { data: { b: '1' } } });
    expect(lab.faults.take('change[a]', 'before')).toBeUndefined();
    await expect(kubernetes.patch(target, change)).rejects.toMatchObject({ outcome: 'unknown' });
  });

  test('a fault of a step meets one instance of it', () => {
    return opened(['all/restart=error']).then(({ lab }) => {
      expect(lab.faults.take('all[nvcf]/other', 'before')).toBeUndefined();
      expect(lab.faults.take('all[nvcf]/restart', 'before')).toBe('error');
      expect(lab.faults.take('all[ess]/restart', 'before')).toBeUndefined();
    });
  });
});
