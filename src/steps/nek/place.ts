import type { Access, Resource } from '../../engine/step-type.ts';
import { baoResources, targetProblems } from '../bao/nodes.ts';
import { portForwardAccess } from '../pod-access.ts';

/** The groups of `with` that every step on namespace keys has. */
export interface NekPlace {
  readonly openbao: {
    readonly namespace: string;
    readonly selector: string;
    readonly mount?: string;
    readonly path?: string;
  };
  readonly cassandra: {
    readonly namespace: string;
    readonly selector: string;
    readonly keyspace?: string;
    readonly credentials?: { readonly mount?: string; readonly path?: string };
  };
}

/** What a step on namespace keys reads, and with `write` changes; the master keys are only ever read. */
export function nekResources({ openbao, cassandra }: NekPlace, mode: Resource['mode']): readonly Resource[] {
  const place = segment(cassandra.namespace);
  return [
    { path: `cassandra/${place}/${segment(cassandra.keyspace ?? 'ess_api')}`, mode },
    { path: `kubernetes/${place}/pods/*`, mode: 'read' },
    ...baoResources(openbao, 'read'),
  ];
}

export function nekAccess({ openbao, cassandra }: NekPlace): readonly Access[] {
  const { mount = 'services/all/kv', path = 'encryption/keys/stored_data' } = openbao;
  const at = { mount: 'services/ess-api/kv', path: 'cassandra/creds', ...cassandra.credentials };
  return [
    ...portForwardAccess(openbao.namespace),
    ...portForwardAccess(cassandra.namespace),
    { system: 'openbao', path: `${mount}/data/${path}`, capabilities: ['read'] },
    { system: 'openbao', path: `${at.mount}/data/${at.path}`, capabilities: ['read'] },
  ];
}

export function nekPlaceProblems({ openbao, cassandra }: NekPlace) {
  const below = (group: string, target: Parameters<typeof targetProblems>[0]) =>
    targetProblems(target).map(({ path, message }) => ({ path: [group, ...path], message }));
  return [...below('openbao', openbao), ...below('cassandra', cassandra)];
}

function segment(name: string): string {
  return name.includes('‹') ? '*' : name;
}
