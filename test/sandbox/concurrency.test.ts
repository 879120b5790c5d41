import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { at, never } from './rig.ts';

const services = ['nvcf-api', 'invocation-service', 'grpc-proxy-deployment', 'notary-service'];

/** Four restarts at once, each followed, each writing and syncing a real file in between, beside a renewal that never rests. */
async function race(folder: string): Promise<readonly string[]> {
  const sandbox = openSandbox({ seed: 77 });
  const { kubernetes, clock } = sandbox.services;
  const seen: string[] = [];
  const journal = await open(path.join(folder, `journal-${Math.floor(clock.monotonic())}`), 'w');
  const note = async (text: string) => {
    seen.push(`${clock.monotonic()} ${text}`);
    await journal.write(`${text}\n`);
    await journal.datasync();
  };
  const ended = new AbortController();
  const renewals = (async () => {
    for (let count = 0; !ended.signal.aborted; count += 1) {
      await clock.sleep(2_000, ended.signal);
      if (!ended.signal.aborted) await note(`renewed ${count}`);
    }
  })();
  await Promise.all(
    services.map(async (name, index) => {
      // Who begins first is not for the disk to decide.
      await clock.sleep(index + 1, never);
      const ref = { kind: kinds.deployments, namespace: 'nvcf', name };
      const options = { namespace: 'nvcf', fieldSelector: `metadata.name=${name}` };
      const body = { spec: { template: { metadata: { annotations: { restarted: 'yes' } } } } };
      await kubernetes.patch(ref, { type: 'strategic', body });
      for await (const [found] of kubernetes.follow(kinds.deployments, options, never)) {
        const status = JSON.stringify(at(found, 'status', 'updatedReplicas'));
        await note(`${name} ${found?.metadata.resourceVersion} ${status}`);
        const conditions = at(found, 'status', 'conditions') as readonly { reason: string }[];
        if (
          at(found, 'status', 'observedGeneration') === 2 &&
          conditions.some(({ reason }) => reason === 'NewReplicaSetAvailable')
        )
          break;
      }
    }),
  );
  ended.abort();
  await renewals;
  await journal.close();
  return seen;
}

describe('several at once', () => {
  test('happen in the same order and at the same times whatever the disk does', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'race-'));
    try {
      const first = await race(folder);
      expect(first.length).toBeGreaterThan(30);
      expect(first.some((line) => line.includes('renewed 10'))).toBe(true);
      for (let round = 0; round < 3; round += 1) expect(await race(folder)).toEqual(first);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
