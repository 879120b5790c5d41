import type { Json, JsonObject } from '../engine/json.ts';
import { parseDocuments } from '../engine/read/parse-documents.ts';
import { Secret } from '../engine/secret.ts';
import type { HelmContent, HelmHook, HelmListed, HelmRelease, HelmRendering, HelmRevision } from './helm.ts';
import { sayHelm } from './helm-errors.ts';

/** What Helm printed is not what this version of it prints. Says which field, and quotes nothing. */
export class UnexpectedOutput extends Error {}

type Fields = JsonObject;

export function readList(text: string): readonly HelmListed[] {
  return listOf(json(text)).map((item) => ({
    release: textOf(item, 'name'),
    namespace: textOf(item, 'namespace'),
    ...revisionFields(item),
  }));
}

export function readHistory(text: string): readonly HelmRevision[] {
  return listOf(json(text))
    .map((item) => ({ ...revisionFields(item), description: sayHelm(optional(item, 'description')) }))
    .sort((one, other) => one.revision - other.revision);
}

/** `helm status`, which has everything but the chart, and `helm get metadata`, which has it. */
export function readRelease(status: string, metadata: string): HelmRelease {
  const fields = objectOf(json(status), 'the answer');
  const chart = objectOf(json(metadata), 'the metadata');
  const info = objectOf(fields.info, 'info');
  return {
    release: textOf(fields, 'name'),
    namespace: textOf(fields, 'namespace'),
    revision: numberOf(fields, 'version'),
    updated: optional(info, 'last_deployed'),
    status: textOf(info, 'status'),
    description: sayHelm(optional(info, 'description')),
    ...contentOf(fields),
    chart: textOf(chart, 'chart'),
    chartVersion: textOf(chart, 'version'),
    appVersion: optional(chart, 'appVersion'),
  };
}

/** A release with its chart, as an upgrade and its dry run print it. */
export function readUpgrade(text: string): Omit<HelmRendering, 'digest'> & { readonly revision: number } {
  const fields = objectOf(json(text), 'the answer');
  const metadata = objectOf(objectOf(fields.chart, 'chart').metadata, 'chart.metadata');
  return {
    revision: numberOf(fields, 'version'),
    chart: textOf(metadata, 'name'),
    chartVersion: textOf(metadata, 'version'),
    appVersion: optional(metadata, 'appVersion'),
    ...contentOf(fields),
  };
}

/** `helm show chart`: Chart.yaml. */
export function readChart(text: string): { readonly name: string; readonly version: string } {
  const fields = objectOf(documents(text, 'the chart')[0], 'the chart');
  return { name: textOf(fields, 'name'), version: textOf(fields, 'version') };
}

/** 'v3.19.5+g…', 'Client: v2.17.0+g…' as numbers. */
export function readVersion(text: string): readonly [number, number] | undefined {
  const match = /\bv?(\d+)\.(\d+)/u.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function contentOf(fields: Fields): Pick<HelmContent, 'objects' | 'hooks' | 'values'> {
  const hooks = fields.hooks === undefined || fields.hooks === null ? [] : listOf(fields.hooks);
  return {
    objects: documents(optional(fields, 'manifest'), 'the manifest').filter(isObject),
    hooks: hooks.map(readHook),
    values: Secret.fromText('values', JSON.stringify(fields.config ?? {})),
  };
}

function readHook(fields: Fields): HelmHook {
  const run = isObject(fields.last_run) ? fields.last_run : {};
  const [object] = documents(optional(fields, 'manifest'), 'the manifest of a hook').filter(isObject);
  return {
    kind: textOf(fields, 'kind'),
    name: textOf(fields, 'name'),
    events: Array.isArray(fields.events) ? fields.events.map(String) : [],
    weight: typeof fields.weight === 'number' ? fields.weight : 0,
    phase: optional(run, 'phase'),
    object: object ?? {},
  };
}

function revisionFields(fields: Fields): Omit<HelmRevision, 'description'> {
  const [chart, chartVersion] = splitChart(optional(fields, 'chart'));
  return {
    revision: numberOf(fields, 'revision'),
    updated: optional(fields, 'updated'),
    status: textOf(fields, 'status'),
    chart,
    chartVersion,
    appVersion: optional(fields, 'app_version'),
  };
}

/** 'helm-nvcf-api-1.25.1' as name and version. */
function splitChart(text: string): readonly [string, string] {
  const match = /^(.+?)-(v?\d+\.\d+\.\d+.*)$/u.exec(text);
  return match === null ? [text, ''] : [match[1] ?? '', match[2] ?? ''];
}

function json(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new UnexpectedOutput('it is no JSON');
  }
}

function documents(text: string, what: string): readonly Json[] {
  try {
    return parseDocuments(text);
  } catch (cause) {
    throw new UnexpectedOutput(`${what} is ${cause instanceof Error ? cause.message : 'no YAML'}`);
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOf(value: Json | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new UnexpectedOutput(`${what} is no object`);
}

function listOf(value: Json): readonly JsonObject[] {
  if (Array.isArray(value) && value.every(isObject)) return value as readonly JsonObject[];
  throw new UnexpectedOutput('it is no list of objects');
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new UnexpectedOutput(`it has no ${name}`);
}

function optional(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

function numberOf(fields: Fields, name: string): number {
  // `helm list` prints the revision as text.
  const value = Number(fields[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UnexpectedOutput(`it has no ${name}`);
}
