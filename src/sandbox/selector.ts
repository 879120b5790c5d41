import { badRequest } from './api-error.ts';
import type { Labels, Selector, Thing } from './objects.ts';

type Requirement = (labels: Labels) => boolean;

const NAME = '[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?';
const SET = new RegExp(`^(${NAME})\\s+(in|notin)\\s+\\(([^()]*)\\)$`);
const EQUALITY = new RegExp(`^(${NAME})\\s*(==|=|!=)\\s*(${NAME})?$`);
const EXISTS = new RegExp(`^(!?)\\s*(${NAME})$`);

function parseRequirement(text: string): Requirement {
  const set = SET.exec(text);
  if (set !== null) {
    const [, key = '', , operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return operator === 'in'
      ? (labels) => labels[key] !== undefined && values.includes(labels[key])
      : (labels) => labels[key] === undefined || !values.includes(labels[key]);
  }
  const equality = EQUALITY.exec(text);
  if (equality !== null) {
    const [, key = '', , operator, value = ''] = equality;
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const exists = EXISTS.exec(text);
  if (exists !== null) {
    const [, not, key = ''] = exists;
    return not === '!' ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
  }
  throw badRequest(`unable to parse requirement: ${text}`);
}

/** A label selector as in a list call: 'a=b,c!=d,e in (f,g),h,!i'. */
export function labelFilter(text: string | undefined): (thing: Thing) => boolean {
  if (text === undefined || text.trim() === '') return () => true;
  const requirements = text.split(/,(?![^()]*\))/).map((part) => parseRequirement(part.trim()));
  return (thing) => requirements.every((matches) => matches(thing.metadata.labels ?? {}));
}

/** A `spec.selector`. */
export function selects(selector: Selector | undefined, labels: Labels | undefined): boolean {
  const have = labels ?? {};
  const equal = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => have[key] === value);
  return (
    equal &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = have[key];
      if (operator === 'In') return value !== undefined && values.includes(value);
      if (operator === 'NotIn') return value === undefined || !values.includes(value);
      return (value !== undefined) === (operator === 'Exists');
    })
  );
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'status.phase',
    'status.podIP',
  ],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.fieldPath',
    'reason',
    'type',
    'reportingComponent',
    'source',
  ],
  Secret: ['type'],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  ReplicaSet: ['status.replicas'],
};

function field(thing: Thing, path: string): string {
  let value: unknown = thing;
  for (const part of path.split('.'))
    value =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined;
  return value === undefined || value === null ? '' : String(value);
}

/** A field selector; fields that the API server does not index are refused, as it does. */
export function fieldFilter(text: string | undefined, kind: string): (thing: Thing) => boolean {
  if (text === undefined || text.trim() === '') return () => true;
  const checks = text.split(',').map((part) => {
    const match = /^([A-Za-z.]+)(==|=|!=)(.*)$/.exec(part.trim());
    const [, path = '', operator, value = ''] = match ?? [];
    if (match === null) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
    if (!['metadata.name', 'metadata.namespace', ...(FIELDS[kind] ?? [])].includes(path))
      throw badRequest(`field label not supported: ${path}`);
    return (thing: Thing) => (field(thing, path) === value) === (operator !== '!=');
  });
  return (thing) => checks.every((check) => check(thing));
}
