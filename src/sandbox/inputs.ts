import type { InputSpec, InputType, SecretSource } from '../engine/read/runbook.ts';
import { Secret } from '../engine/secret.ts';
import type { Value } from '../engine/value.ts';
import { kinds } from '../services/kubernetes.ts';
import type { Thing } from './objects.ts';
import { kvPeek } from './openbao/kv.ts';
import { rootToken } from './seed/cluster.ts';
import type { World } from './world.ts';

function plain(type: InputType, spec: InputSpec): Value {
  const [example] = spec.examples ?? [];
  if (example !== undefined) return example;
  switch (type) {
    case 'service':
      return 'nvcf-api';
    case 'integer':
    case 'number':
      return typeof spec.min === 'number' ? spec.min : 1;
    case 'boolean':
      return false;
    case 'duration':
      return typeof spec.min === 'string' ? spec.min : '5m';
    case 'enum':
      return spec.values?.[0] ?? '';
    case 'list':
      return [plain(spec.of ?? 'string', { type: spec.of ?? 'string', description: '' })];
    case 'map':
      return {};
    default:
      return 'sandbox';
  }
}

function secretText(world: World, name: string, source: SecretSource | undefined): string {
  if (source !== undefined && 'kubernetes' in source) {
    const { namespace, name: secret, key } = source.kubernetes;
    const encoded = world.store.get<Thing & { data?: Record<string, string> }>(
      kinds.secrets,
      namespace,
      secret,
    )?.data?.[key];
    if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('utf8');
  }
  if (source !== undefined && 'openbao' in source) {
    const field = simulatedField(world, source.openbao);
    if (field !== undefined) return field;
  }
  return /token/i.test(`${name} ${JSON.stringify(source ?? '')}`) ? rootToken(world.seed) : `sandbox-${name}`;
}

function simulatedField(
  world: World,
  { path, field, version }: Extract<SecretSource, { readonly openbao: unknown }>['openbao'],
): string | undefined {
  const [mount = '', ...rest] = path.split('/data/');
  for (const namespace of world.openbao.keys()) {
    const value = kvPeek(world, namespace, mount, rest.join('/data/'), version)?.data[field];
    if (typeof value === 'string') return value;
  }
  return undefined;
}

/** Plausible values for inputs that nobody gave: required ones without a default, and every secret. */
export function inputsFor(
  world: World,
  specs: Readonly<Record<string, InputSpec>>,
): Readonly<Record<string, Value>> {
  const missing = Object.entries(specs).filter(
    ([, spec]) => spec.type === 'secret' || (spec.required === true && spec.default === undefined),
  );
  return Object.fromEntries(
    missing.map(([name, spec]) => [
      name,
      spec.type === 'secret'
        ? Secret.fromText(name, secretText(world, name, spec.from))
        : plain(spec.type, spec),
    ]),
  );
}
