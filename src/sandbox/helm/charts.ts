import { createHash } from 'node:crypto';
import type { JsonObject } from '../../engine/json.ts';
import { superuser } from '../mek/seed.ts';
import { type Fields, isFields } from '../patch.ts';
import { networkServices, workload } from '../seed/manifests.ts';
import { pinnedVersion } from '../seed/pins.ts';
import { type SeededService, seededServices } from '../seed/services.ts';
import type { LiveShape } from '../seed/shape.ts';
import { type ChartHook, chartHooks } from './hooks.ts';
import { likenessOf } from './likeness.ts';

/** Where the simulated charts are: `oci://registry.sandbox/nvcf/<chart>`. */
export const REGISTRY = 'oci://registry.sandbox/nvcf';

type Flavour = 'good' | 'unready' | 'broken-hook';

export interface Chart {
  readonly name: string;
  readonly version: string;
  readonly appVersion: string;
  readonly digest: string;
  readonly flavour: Flavour;
  /** The workloads that it installs; the first is the one that `replicaCount` and `env` are for. */
  readonly services: readonly SeededService[];
}

export interface Rendered {
  readonly objects: readonly JsonObject[];
  readonly hooks: readonly ChartHook[];
}

/** A value that a chart does not take; says where, and not what it is. */
export class ValuesError extends Error {}

/** Releases of the seeded world, each with what its chart installs. */
export function seededReleases(): readonly (readonly SeededService[])[] {
  const releases = new Map<string, SeededService[]>();
  for (const service of seededServices({ nvcaOperator: true })) {
    const key = `${service.namespace}/${service.release}`;
    const known = releases.get(key);
    if (known === undefined) releases.set(key, [service]);
    else known.push(service);
  }
  return [...releases.values()];
}

/** Every version of a chart that the registry has: an older one, the pinned one, the next, one whose pods crash, one whose hook fails, the next minor. */
function versionsOf(pin: string): readonly (readonly [string, Flavour])[] {
  const [, v = '', major = '0', minor = '0', patch = '0'] = /^(v?)(\d+)\.(\d+)\.(\d+)$/.exec(pin) ?? [];
  const next = (by: number) => `${v}${major}.${minor}.${Number(patch) + by}`;
  return [
    ...(patch === '0' ? [] : [[next(-1), 'good'] as const]),
    [pin, 'good'],
    [next(1), 'good'],
    [next(2), 'unready'],
    [next(3), 'broken-hook'],
    [`${v}${major}.${Number(minor) + 1}.0`, 'good'],
  ];
}

/** Tag of the image that a version of the chart installs. */
function tagOf(service: SeededService, version: string): string {
  const tag = service.image.slice(service.image.indexOf(':') + 1);
  const pin = pinnedVersion(service.release);
  const known = versionsOf(pin).map(([name]) => name);
  const newer = known.indexOf(version) - known.indexOf(pin);
  if (newer < 0) return `${tag}-rc.1`;
  return tag.replace(/\d+$/, (last) => String(Number(last) + newer));
}

/** The chart of a release at a version; undefined when the registry does not have it. */
export function chartOf(services: readonly SeededService[], version: string): Chart | undefined {
  const [main] = services;
  if (main === undefined) return undefined;
  const flavour = versionsOf(pinnedVersion(main.release)).find(([known]) => known === version)?.[1];
  if (flavour === undefined) return undefined;
  const hash = createHash('sha256').update(`${main.chart} ${version}`).digest('hex');
  return {
    name: main.chart,
    version,
    appVersion: tagOf(main, version),
    digest: `sha256:${hash}`,
    flavour,
    services,
  };
}

/** The chart that a reference names: 'oci://registry.sandbox/nvcf/helm-nvcf-api'. */
export function findChart(reference: string, version: string): Chart | undefined {
  const services = seededReleases().find(([main]) => reference === `${REGISTRY}/${main?.chart}`);
  return services === undefined ? undefined : chartOf(services, version);
}

/** The version before the pinned one, where there is one. */
export function earlierVersion(release: string): string | undefined {
  const pin = pinnedVersion(release);
  const known = versionsOf(pin).map(([name]) => name);
  return known[known.indexOf(pin) - 1];
}

/** What an operator would have given at the installation. */
export function seededValues(
  services: readonly SeededService[],
  seed: number,
  live: LiveShape | undefined,
): JsonObject {
  const [main] = services;
  const there = main === undefined ? undefined : likenessOf(live, main, workload(main));
  const made = (what: string) =>
    createHash('sha256').update(`${seed} ${main?.release} ${what}`).digest('hex').slice(0, 24);
  const replicas = {
    replicaCount: Number((there?.spec as Fields | undefined)?.replicas ?? main?.replicas ?? 1),
  };
  if (main?.release === 'cassandra')
    return { ...replicas, cassandra: { dbUser: { user: 'cassandra', password: superuser(seed).password } } };
  if (main?.release === 'api')
    return { ...replicas, accountBootstrap: { registryCredential: made('registry') } };
  return replicas;
}

/** Objects and hooks of a release, in a world that may be shaped like a cluster. Throws `ValuesError`. */
export function render(chart: Chart, values: JsonObject, live: LiveShape | undefined): Rendered {
  const { replicaCount, env = {} } = values;
  if (replicaCount !== undefined && (!Number.isInteger(replicaCount) || Number(replicaCount) < 0))
    throw new ValuesError("at '/replicaCount': it must be a whole number");
  if (!isFields(env)) throw new ValuesError("at '/env': it must be a map");
  const [main] = chart.services;
  const objects = chart.services.flatMap((service): readonly Fields[] => {
    const first = service === main;
    const set = likenessOf(live, service, workload(service));
    const given = { replicas: first ? replicaCount : undefined, env: first ? env : {} };
    const network = networkServices(service).map((each) => likenessOf(live, service, each));
    const all = [...network, set === undefined ? undefined : adjusted(set, service, { ...given, chart })];
    return all.filter((each) => each !== undefined);
  });
  // What runs in the cluster is what was installed there, to the letter.
  const asThere = live !== undefined && isPinned(chart);
  return {
    objects: [...objects, ...secretsOf(chart, values)].map((object) =>
      asThere ? (object as unknown as JsonObject) : owned(object, chart),
    ),
    hooks: main === undefined ? [] : chartHooks(main, { broken: chart.flavour === 'broken-hook', values }),
  };
}

function isPinned({ services: [main], version }: Chart): boolean {
  return main !== undefined && pinnedVersion(main.release) === version;
}

/** The environment of a container with further variables; one of the same name is another value of it. */
function withVariables(item: Fields, variables: readonly (readonly [string, unknown])[]): Fields {
  const env = new Map(
    (Array.isArray(item.env) ? (item.env as Fields[]) : []).map((each) => [each.name, each]),
  );
  for (const [name, value] of variables) env.set(name, { name, value: String(value) });
  return variables.length === 0 ? {} : { env: [...env.values()] };
}

function adjusted(
  set: Fields,
  service: SeededService,
  given: { readonly chart: Chart; readonly replicas: unknown; readonly env: Fields },
): Fields {
  const { chart } = given;
  const { metadata, spec } = set as { metadata: Fields; spec: Fields };
  const template = spec.template as { metadata: Fields; spec: Fields };
  const containers = template.spec.containers as readonly Fields[];
  const crash = chart.flavour === 'unready' ? { CRASH: 'true' } : {};
  const variables = Object.entries({ ...given.env, ...crash });
  const usual = containers.some(({ image }) => image === service.image);
  const container = (item: Fields): Fields => ({
    ...item,
    image: (usual ? item.image === service.image : item.name === service.container && !isPinned(chart))
      ? imageOf(String(item.image), service, chart.version)
      : item.image,
    ...(item.name === service.container ? withVariables(item, variables) : {}),
  });
  const chartLabel = { 'helm.sh/chart': `${chart.name}-${chart.version}` };
  const labels = { ...(metadata.labels as Fields), ...(usual || !isPinned(chart) ? chartLabel : {}) };
  return {
    ...set,
    metadata: { ...metadata, labels },
    spec: {
      ...spec,
      ...(given.replicas === undefined || service.kind === 'DaemonSet' ? {} : { replicas: given.replicas }),
      template: { ...template, spec: { ...template.spec, containers: containers.map(container) } },
    },
  };
}

/** Without a port of its registry, the last colon begins the tag. */
function imageOf(image: string, service: SeededService, version: string): string {
  return `${image.replace(/(?:@[^/]*|:[^/:]*)$/, '')}:${tagOf(service, version)}`;
}

function secretsOf(chart: Chart, values: JsonObject): readonly Fields[] {
  const { accountBootstrap } = values;
  if (!isFields(accountBootstrap)) return [];
  const credential = Buffer.from(String(accountBootstrap.registryCredential ?? '')).toString('base64');
  const [main] = chart.services;
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${main?.name}-account-bootstrap-secret`, namespace: main?.namespace },
      type: 'Opaque',
      data: { 'registry-credential': credential },
    },
  ];
}

/** What Helm writes on everything that it installs. */
function owned(object: Fields, chart: Chart): JsonObject {
  const metadata = object.metadata as Fields;
  const [main] = chart.services;
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...(metadata.labels as Fields | undefined), 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: {
        ...(metadata.annotations as Fields | undefined),
        'meta.helm.sh/release-name': main?.release,
        'meta.helm.sh/release-namespace': main?.namespace,
      },
    },
  } as unknown as JsonObject;
}
