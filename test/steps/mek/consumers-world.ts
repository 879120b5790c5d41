import type { MekConvergeWith } from '../../../src/generated/types.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { converge } from '../../../src/steps/mek/converge.ts';
import { FakeHttp } from '../../fakes/fake-http.ts';
import { putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import type { MekRig } from './rig.ts';
import { first, mekRig, openbao, second } from './rig.ts';

export const ess = {
  name: 'ess-api',
  namespace: 'ess',
  kind: 'Deployment',
  resource: 'ess',
  selector: 'app=ess',
  container: 'main',
  loads: 'reload',
};
export const apiKeys = {
  name: 'api-keys',
  namespace: 'api-keys',
  kind: 'Deployment',
  resource: 'keys',
  selector: 'app=keys',
  container: 'main',
  loads: 'start',
};

export function lines(current: string, ...kids: readonly string[]): readonly string[] {
  return [
    `Loaded masterKey. Current kid: ${current}`,
    `Loaded ${kids.length} allMasterKeys. Kids: [${kids.join(', ')}]`,
  ];
}

/** ESS in two pods and API Keys in two, all started with the first key alone. */
export function world() {
  const rig = mekRig();
  const logs = new Map<string, readonly string[]>();
  const asked: { readonly pod: string; readonly since: number | undefined }[] = [];
  putWorkload(rig.cluster, { name: 'ess', namespace: 'ess' });
  putWorkload(rig.cluster, { name: 'keys', namespace: 'api-keys' });
  rig.cluster.hooks = {
    afterWrite: (object, cluster) => rollOut(cluster, object),
    log: (pod, options) => {
      asked.push({ pod, since: options.sinceSeconds });
      return logs.get(pod) ?? logs.get(pod.split('-')[0] ?? '') ?? [];
    },
  };
  logs.set('ess', lines(first, first));
  aged(rig, '2026-01-05T09:00:00Z');
  for (const name of ['ess', 'api-keys']) rig.cluster.put(kinds.namespaces, { metadata: { name } });
  const http = new FakeHttp();
  const send = () => Promise.reject(new Error('this step sends nothing'));
  const services = { ...rig.ctx.services, http: Object.assign(http, { send }) };
  return { ...rig, ctx: { ...rig.ctx, services }, logs, asked, http };
}

type World = ReturnType<typeof world>;

/** All pods of both services were made at this moment. */
export function aged({ cluster }: Pick<MekRig, 'cluster'>, creationTimestamp: string): void {
  for (const { metadata } of cluster.all(kinds.pods))
    if (metadata.namespace === 'ess' || metadata.namespace === 'api-keys')
      cluster.change({ kind: kinds.pods, namespace: metadata.namespace, name: metadata.name }, (pod) => {
        pod.metadata = { ...pod.metadata, creationTimestamp };
      });
}

export function input(more: object = {}): MekConvergeWith {
  return { openbao, kid: second, consumers: [ess, apiKeys], ...more } as unknown as MekConvergeWith;
}

export async function captured(made: World = world(), using: MekConvergeWith = input()) {
  const before = await converge.capture(using, made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    ctx,
    before,
    run: () => converge.run(using, ctx),
    look: () => converge.observe(using, before, ctx),
  };
}

export function podNames(rig: Pick<MekRig, 'cluster'>, app: string): readonly string[] {
  return rig.cluster
    .all(kinds.pods)
    .filter((pod) => pod.metadata.labels?.app === app)
    .map((pod) => pod.metadata.name)
    .sort();
}
