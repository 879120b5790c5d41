import { describe, expect, test } from 'vitest';
import type { MekLoadedWith } from '../../../src/generated/types.ts';
import { loaded } from '../../../src/steps/mek/loaded.ts';
import { apiKeys, ess, lines, podNames, world } from './consumers-world.ts';
import { openbao, second } from './rig.ts';

const input = { openbao, consumers: [ess, apiKeys] } as unknown as MekLoadedWith;

describe('mek.loaded', () => {
  test('tells for each pod what its log says, and that the others do not tell', async () => {
    const made = world();
    const [one = '', other = ''] = podNames(made, 'ess');
    const found = await loaded.run(input, made.ctx);
    const active = found.kid;
    made.logs.set(one, lines(active, active, second));
    made.logs.set(
      other,
      lines('00000000-0000-1000-8000-000000000000', '00000000-0000-1000-8000-000000000000'),
    );
    const outputs = await loaded.run(input, made.ctx);
    expect(outputs.pods.map(({ pod, state, current }) => [pod, state, current])).toEqual([
      [one, 'loaded', active],
      [other, 'behind', '00000000-0000-1000-8000-000000000000'],
      ...podNames(made, 'keys').map((pod) => [pod, 'unknown', '']),
    ]);
    expect(outputs).toMatchObject({ loaded: 1, behind: 1, unknown: 2 });
    expect(outputs.pods[0]?.kids).toEqual([active, second]);
    expect(made.cluster.writes).toEqual([]);
  });

  test('a log that says nothing about keys is unknown, not behind', async () => {
    const made = world();
    made.logs.set('ess', ['INFO something else']);
    const outputs = await loaded.run({ ...input, consumers: [ess] } as unknown as MekLoadedWith, made.ctx);
    expect(outputs.pods.map(({ state }) => state)).toEqual(['unknown', 'unknown']);
  });

  test('a selector that matches no pod is an error', async () => {
    const made = world();
    const nobody = { ...input, consumers: [{ ...ess, selector: 'app=nobody' }] } as unknown as MekLoadedWith;
    await expect(loaded.run(nobody, made.ctx)).rejects.toMatchObject({ code: 'no-match' });
  });
});
