import { startControllers } from './controllers/dispatch.ts';
import { epochOf } from './epoch.ts';
import { startKubelet } from './kubelet/kubelet.ts';
import { startScheduler } from './kubelet/scheduler.ts';
import { type Load, startLoad } from './load.ts';
import { createCassandra } from './nek-store/state.ts';
import { Random } from './random.ts';
import { AGE, seedCluster } from './seed/cluster.ts';
import type { LiveShape } from './seed/shape.ts';
import { Store } from './store.ts';
import { Timeline } from './timeline.ts';
import type { World } from './world.ts';

export interface WorldOptions {
  /** The operator of a compute cluster runs here too; true unless told otherwise. */
  readonly nvcaOperator?: boolean;
  /** Namespace keys: 50 in each of 40 namespaces unless told otherwise. */
  readonly neks?: { readonly namespaces: number; readonly each: number };
  /** Pods of ESS: one unless told otherwise. */
  readonly essReplicas?: number;
  /** Master keys of earlier rotations that the document still holds: none unless told otherwise. */
  readonly earlierKeys?: number;
  /** Objects of another cluster that stand in place of the usual ones: none unless told otherwise. */
  readonly live?: LiveShape;
  /** Clients that use the control plane meanwhile: none unless told otherwise. */
  readonly load?: Load;
}

/** A settled control plane. The same seed gives the same world, to the last UID. */
export function buildWorld(seed: number, options: WorldOptions): World {
  const epoch = epochOf(seed);
  const world: World = {
    seed,
    epoch,
    timeline: new Timeline(epoch - AGE),
    random: new Random(seed),
    store: new Store(),
    owners: new Map(),
    runtimes: new Map(),
    events: new Map(),
    openbao: new Map(),
    baoSkew: 0,
    nats: new Map(),
    cassandra: createCassandra(options.neks ?? { namespaces: 40, each: 50 }),
    live: options.live,
    played: new Set(),
    consumers: new Map(),
    documentSeen: 0,
    mishaps: [],
    denials: [],
    troubles: [],
    unreachableUntil: 0,
    struck: [],
    load: undefined,
  };
  startControllers(world);
  startScheduler(world);
  startKubelet(world);
  seedCluster(world, {
    nvcaOperator: options.nvcaOperator ?? true,
    essReplicas: options.essReplicas ?? 1,
    earlierKeys: options.earlierKeys ?? 0,
  });
  if (options.load !== undefined) startLoad(world, options.load);
  return world;
}
