import { kinds } from '../../services/kubernetes.ts';
import { timestamp } from '../objects.ts';
import { Random } from '../random.ts';
import { workload } from '../seed/manifests.ts';
import { pinnedVersion } from '../seed/pins.ts';
import type { World } from '../world.ts';
import { chartOf, earlierVersion, render, seededReleases, seededValues } from './charts.ts';
import { likenessOf } from './likeness.ts';
import { contentOf, objectsOf, type ReleaseRecord, toSecret } from './records.ts';

/**
 * The releases that the seeded workloads came from, installed at `installed`. They have random numbers of their own, so that the rest of
 * a seed's world does not depend on them.
 */
export function seedReleases(
  world: World,
  given: { readonly nvcaOperator: boolean; readonly installed: number },
): void {
  const random = new Random(world.seed + 1);
  const now = timestamp(given.installed);
  const put = (object: ReturnType<typeof toSecret>): void => {
    const metadata = object.metadata as { readonly name: string; readonly namespace: string };
    world.store.put(kinds.secrets, {
      ...object,
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, uid: random.uuid(), resourceVersion: '', creationTimestamp: now },
    });
  };
  for (const services of seededReleases()) {
    const [main] = services;
    if (main === undefined || (main.release === 'nvca-operator' && !given.nvcaOperator)) continue;
    if (likenessOf(world.live, main, workload(main)) === undefined) continue;
    // The API was upgraded once: there is something to roll back to.
    const earlier = main.release === 'api' ? earlierVersion(main.release) : undefined;
    const revisions = [...(earlier === undefined ? [] : [earlier]), pinnedVersion(main.release)];
    const values = seededValues(services, world.seed, world.live);
    for (const [index, version] of revisions.entries()) {
      const chart = chartOf(services, version);
      if (chart === undefined) continue;
      const last = index === revisions.length - 1;
      const record: ReleaseRecord = {
        name: main.release,
        namespace: main.namespace,
        version: index + 1,
        info: {
          first_deployed: now,
          last_deployed: timestamp(given.installed + index * 3_600_000),
          deleted: '',
          description: index === 0 ? 'Install complete' : 'Upgrade complete',
          status: last ? 'deployed' : 'superseded',
        },
        ...contentOf(chart, values, render(chart, values, world.live)),
        labels: {},
      };
      if (last) for (const object of objectsOf(record)) if (object.kind === 'Secret') put(object);
      put(toSecret(record));
    }
  }
}
