import type { InputSpec, InputType, SecretSource } from '../engine/read/runbook.ts';
import { Secret } from '../engine/secret.ts';
import type { Value } from '../engine/value.ts';
import { kinds } from '../services/kubernetes.ts';
import { superuser } from './mek/seed.ts';
import type { Thing } from './objects.ts';
import { kvPeek } from './openbao/kv.ts';
import { rootToken } from './seed/cluster.ts';
import type { World } from './world.ts';

/** A pair for backups that are made in the sandbox. Everybody may know it: it protects nothing. */
export const AGE_PAIR = {
  identity: 'AGE-SECRET-KEY-1LNC0NL48P7GF8LNW09J2494HAZEZKXYVRUKVHTD4SGJ9A5CL68EQWHG5HM',
  recipient: 'age13puyhtargxn2k6f60dk060yqvgt42vs8zt3v3hl52h7hctkyqukq6nx84q',
} as const;

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
  const known = `${name} ${JSON.stringify(source ?? '')}`;
  if (/identity/i.test(known)) return AGE_PAIR.identity;
  if (/cassandra.*password/i.test(known)) return superuser(world.seed).password;
  return /token/i.test(known) ? rootToken(world.seed) : `sandbox-${name}`;
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

function isRecipients(name: string, spec: InputSpec): boolean {
  return /recipients?$/i.test(name) && spec.type === 'list' && (spec.of ?? 'string') === 'string';
}

/** Plausible values for inputs that nobody gave: required ones without a default, every secret, and whom to encrypt backups to. */
export function inputsFor(
  world: World,
  specs: Readonly<Record<string, InputSpec>>,
): Readonly<Record<string, Value>> {
  const missing = Object.entries(specs).filter(
    ([name, spec]) =>
      spec.type === 'secret' ||
      (spec.default === undefined && (spec.required === true || isRecipients(name, spec))),
  );
  return Object.fromEntries(
    missing.map(([name, spec]) => [
      name,
      spec.type === 'secret'
        ? Secret.fromText(name, secretText(world, name, spec.from))
        : isRecipients(name, spec)
          ? [AGE_PAIR.recipient]
          : plain(spec.type, spec),
    ]),
  );
}
