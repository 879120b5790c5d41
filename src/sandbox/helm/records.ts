import { gunzipSync, gzipSync } from 'node:zlib';
import type { JsonObject } from '../../engine/json.ts';
import type { Chart, Rendered } from './charts.ts';

/** A revision as Helm keeps it. */
export interface ReleaseRecord {
  readonly name: string;
  readonly namespace: string;
  readonly version: number;
  readonly info: {
    readonly first_deployed: string;
    readonly last_deployed: string;
    readonly deleted: '';
    readonly description: string;
    readonly status: string;
  };
  readonly chart: {
    readonly metadata: { readonly name: string; readonly version: string; readonly appVersion: string };
  };
  readonly config: JsonObject;
  readonly manifest: string;
  readonly hooks: readonly HookRecord[];
  /** Of the Secret: custom ones, with those that Helm needs. Not part of the record itself. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface HookRecord {
  readonly name: string;
  readonly kind: string;
  readonly path: string;
  readonly manifest: string;
  readonly events: readonly string[];
  readonly last_run: { readonly started_at: string; readonly completed_at: string; readonly phase: string };
  readonly weight: number;
}

export function secretName(record: Pick<ReleaseRecord, 'name' | 'version'>): string {
  return `sh.helm.release.v1.${record.name}.v${record.version}`;
}

/** The Secret that holds a revision. */
export function toSecret(record: ReleaseRecord): JsonObject {
  const { labels, ...content } = record;
  const packed = gzipSync(JSON.stringify(content), { level: 9 }).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: secretName(record),
      namespace: record.namespace,
      labels: {
        ...labels,
        name: record.name,
        owner: 'helm',
        status: record.info.status,
        version: String(record.version),
      },
    },
    type: 'helm.sh/release.v1',
    data: { release: Buffer.from(packed).toString('base64') },
  };
}

export function fromSecret(secret: {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  readonly data?: JsonObject;
}): ReleaseRecord {
  const packed = Buffer.from(String(secret.data?.release ?? ''), 'base64').toString();
  const content = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString());
  const { name: _, owner: __, status: ___, version: ____, ...labels } = secret.metadata.labels ?? {};
  return { ...content, labels };
}

/** A manifest as Helm keeps it; JSON is YAML. */
export function manifestText(objects: readonly JsonObject[], chart: string): string {
  const text = (object: JsonObject) =>
    `---\n# Source: ${chart}/templates/${String(object.kind).toLowerCase()}.yaml\n${JSON.stringify(object)}\n`;
  return objects.map(text).join('');
}

/** The objects of a manifest that `manifestText` wrote. */
export function objectsOf(record: Pick<ReleaseRecord, 'manifest'>): readonly JsonObject[] {
  const lines = record.manifest.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as JsonObject);
}

/** The part of a revision that comes from its chart and its values. */
export function contentOf(
  chart: Chart,
  values: JsonObject,
  rendered: Rendered,
): Pick<ReleaseRecord, 'chart' | 'config' | 'manifest' | 'hooks'> {
  const { name, version, appVersion } = chart;
  return {
    chart: { metadata: { name, version, appVersion } },
    config: values,
    manifest: manifestText(rendered.objects, name),
    hooks: rendered.hooks.map((hook) => ({
      name: hook.name,
      kind: 'Job',
      path: `${name}/templates/job.yaml`,
      manifest: JSON.stringify(hook.object),
      events: hook.events,
      last_run: { started_at: '', completed_at: '', phase: '' },
      weight: hook.weight,
    })),
  };
}
