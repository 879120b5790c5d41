import { kinds } from '../../services/kubernetes.ts';
import { timestamp } from '../objects.ts';
import { Random } from '../random.ts';
import { pinnedVersion } from '../seed/pins.ts';
import type { World } from '../world.ts';
import { chartOf, render, seededReleases, seededValues } from './charts.ts';
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
    const chart = chartOf(services, pinnedVersion(main.release));
    if (chart === undefined) continue;
    const values = seededValues(services, world.seed);
    const content = contentOf(chart, values, render(chart, values));
    const record: ReleaseRecord = {
      name: main.release,
      namespace: main.namespace,
      version: 1,
      info: {
        first_deployed: now,
        last_deployed: now,
        deleted: '',
        description: 'Install complete',
        status: 'deployed',
      },
      ...content,
      labels: {},
    };
    for (const object of objectsOf(record)) if (object.kind === 'Secret') put(object);
    put(toSecret(record));
  }
}
