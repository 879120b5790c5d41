import { image, nextImage } from '../image-names.ts';
import { chartValues, hook, hookEvents } from '../manifests/chart-value.ts';
import type { Manifest } from '../manifests/manifest.ts';
import type { Release } from '../manifests/releases.ts';
import { templateOf, workloadTemplateOf } from './template.ts';

/** What is the matter with a version of a chart. */
export type Flavour = 'good' | 'pods crash' | 'hook fails';

/** A version of a chart, and its files: path inside the chart → text. */
export interface Chart {
  readonly name: string;
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Versions of one chart, as the simulated registry of the sandbox has them, too. */
export interface Versions {
  readonly pinned: string;
  /** The next patch: another image, and all is well. */
  readonly patch: string;
  /** Its pods crash. */
  readonly unready: string;
  /** A Job after its upgrade fails. */
  readonly brokenHook: string;
  /** The next minor version: another image, and other values by default. */
  readonly minor: string;
}

export function versionsOf(pinned: string): Versions {
  const [, v, major, minor, patch] = /^(v?)(\d+)\.(\d+)\.(\d+)$/.exec(pinned) ?? [];
  const next = (by: number) => `${v}${major}.${minor}.${Number(patch) + by}`;
  return {
    pinned,
    patch: next(1),
    unready: next(2),
    brokenHook: next(3),
    minor: `${v}${major}.${Number(minor) + 1}.0`,
  };
}

/** Every version of a release's chart, the pinned one first. */
export function chartsOf(release: Release): readonly Chart[] {
  const { pinned, patch, unready, brokenHook, minor } = versionsOf(release.version);
  const next = { image: { tag: tagOf(nextImage) } };
  return [
    chart(release, pinned, 'good', {}),
    chart(release, patch, 'good', next),
    chart(release, unready, 'pods crash', next),
    chart(release, brokenHook, 'hook fails', next),
    chart(release, minor, 'good', { ...next, env: { FEATURE_SET: minor } }),
  ];
}

function chart(release: Release, version: string, flavour: Flavour, defaults: object): Chart {
  const objects = flavoured(release, flavour);
  const values = {
    replicaCount: 1,
    image: { tag: tagOf(image) },
    env: {},
    ...ownDefaults(release),
    ...defaults,
  };
  return {
    name: release.chart,
    version,
    files: {
      'Chart.yaml': json({ apiVersion: 'v2', name: release.chart, version, appVersion: version }),
      'values.yaml': json(values),
      ...Object.fromEntries(
        objects.map((object) => [
          `templates/${object.kind}-${object.metadata.name}.yaml`.toLowerCase(),
          isWorkload(release, object)
            ? workloadTemplateOf(object, `${release.chart}-${version}`)
            : templateOf(object),
        ]),
      ),
    },
  };
}

// A chart has a default for every value that its templates name, an empty one unless it is named below.
function ownDefaults({ objects, name }: Release): Record<string, unknown> {
  const defaults: Record<string, unknown> = {};
  for (const [, path = ''] of JSON.stringify(objects).matchAll(chartValues)) {
    if (path === 'image.tag') continue;
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let place = defaults;
    for (const step of steps) {
      place[step] ??= {};
      place = place[step] as Record<string, unknown>;
    }
    place[last] = chartDefaults[`${name} ${path}`] ?? '';
  }
  return defaults;
}

/** Release and path → the default, where it is not empty. */
const chartDefaults: Readonly<Record<string, unknown>> = {
  'openbao-server migrations.readFails': false,
  'cassandra migrations.fails': false,
};

function flavoured(release: Release, flavour: Flavour): readonly Manifest[] {
  if (flavour === 'pods crash')
    return release.objects.map((object) => (isWorkload(release, object) ? crashing(object) : object));
  if (flavour === 'good') return release.objects;
  const last = release.objects.findLast((object) => hookEvents(object).includes('post-upgrade'));
  if (last === undefined) return [...release.objects, brokenJob(release)];
  return release.objects.map((object) => (object === last ? failing(object) : object));
}

function isWorkload({ workload }: Release, { kind, metadata }: Manifest): boolean {
  return (kind === 'Deployment' || kind === 'StatefulSet') && metadata.name === workload;
}

function crashing(object: Manifest): Manifest {
  return withCommand(object, 'echo "panic: no database"; exit 3');
}

function failing(object: Manifest): Manifest {
  const failed = withCommand(object, failure);
  return { ...failed, spec: { ...(failed.spec as object), backoffLimit: 0 } };
}

const failure = 'echo applying migration 42; echo error: dirty database version 42 >&2; exit 1';

function withCommand(object: Manifest, script: string): Manifest {
  const spec = object.spec as { template: { spec: { containers: readonly object[] } } };
  const [first, ...more] = spec.template.spec.containers;
  const containers = [{ ...first, command: ['/bin/sh', '-c', script] }, ...more];
  return {
    ...object,
    spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } },
  };
}

function brokenJob({ namespace, workload }: Release): Manifest {
  const container = {
    name: 'migrations',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '-c', failure],
  };
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${workload}-migrations`, namespace },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          automountServiceAccountToken: false,
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [container],
        },
      },
    },
  };
  return hook(job, ['post-upgrade'], 1);
}

function tagOf(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
