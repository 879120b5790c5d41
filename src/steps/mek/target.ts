import { Secret } from '../../engine/secret.ts';
import type { Access, Resource } from '../../engine/step-type.ts';
import type { KvPath } from '../../services/openbao.ts';
import { baoResources, targetProblems as serverProblems } from '../bao/nodes.ts';
import { portForwardAccess } from '../pod-access.ts';

/** The group `openbao` of a `with`: the server pods, and where the master keys lie. */
export interface OpenBaoGroup {
  readonly namespace: string;
  readonly selector: string;
  readonly token: string | Secret;
  readonly mount?: string | undefined;
  readonly path?: string | undefined;
}

/** The groups `cassandra` and `apiKeys` of a `with`: the database pods, a keyspace and its credentials. */
export interface CassandraGroup {
  readonly namespace: string;
  readonly selector: string;
  readonly keyspace?: string | undefined;
  readonly datacenter?: string | undefined;
  readonly credentials?: { readonly mount?: string | undefined; readonly path?: string | undefined };
}

/** A policy that a token must have at a path of the API, without the leading `v1/`. */
export interface PolicyNeed {
  readonly path: string;
  readonly capabilities: readonly string[];
}

export type Problem = {
  readonly path: readonly string[];
  readonly message: string;
  readonly hint?: string;
};

/** Which rows a Cassandra group leads to. */
export type Rows = 'ess' | 'api-keys';

const defaults: Readonly<Record<Rows, { readonly keyspace: string; readonly credentials: KvPath }>> = {
  ess: { keyspace: 'ess_api', credentials: { mount: 'services/ess-api/kv', path: 'cassandra/creds' } },
  'api-keys': {
    keyspace: 'api_keys_api',
    credentials: { mount: 'services/api-keys-api/kv', path: 'cassandra/creds' },
  },
};

/** Where the master keys lie: 'services/all/kv', 'encryption/keys/stored_data' unless told otherwise. */
export function documentPath(group: Pick<OpenBaoGroup, 'mount' | 'path'> | undefined): KvPath {
  const { mount, path } = group ?? {};
  return { mount: mount ?? 'services/all/kv', path: path ?? 'encryption/keys/stored_data' };
}

export function credentialsPath(group: CassandraGroup | undefined, rows: Rows): KvPath {
  const { credentials } = group ?? {};
  const known = defaults[rows].credentials;
  return { mount: credentials?.mount ?? known.mount, path: credentials?.path ?? known.path };
}

export function keyspaceOf(group: CassandraGroup | undefined, rows: Rows): string {
  return group?.keyspace ?? defaults[rows].keyspace;
}

/** An author's `Secret`, or the text that an unprotected input holds. */
export function secretOf(name: string, value: unknown): Secret {
  return value instanceof Secret ? value : Secret.fromText(name, String(value));
}

/** 'services/all/kv/data/encryption/keys/stored_data' */
export function dataPath({ mount, path }: KvPath): string {
  return `${mount}/data/${path}`;
}

/** 'services/all/kv/metadata/encryption/keys/stored_data' */
export function metadataPath({ mount, path }: KvPath): string {
  return `${mount}/metadata/${path}`;
}

/** Reading the document with its history. */
export function documentNeeds(group: OpenBaoGroup, writes: readonly string[] = []): readonly PolicyNeed[] {
  const at = documentPath(group);
  return [
    { path: dataPath(at), capabilities: ['read', ...writes] },
    { path: metadataPath(at), capabilities: ['read'] },
  ];
}

/** What it takes to reach the server pods and to use a token there; every token may ask about itself by the policy `default`. */
export function openbaoAccess(group: OpenBaoGroup, needs: readonly PolicyNeed[]): readonly Access[] {
  return [
    ...portForwardAccess(namespaceOf(group)),
    ...podRead(namespaceOf(group)),
    ...needs.map(({ path, capabilities }): Access => ({ system: 'openbao', path, capabilities })),
    { system: 'openbao', path: 'sys/capabilities-self', capabilities: ['update'] },
    { system: 'openbao', path: 'auth/token/lookup-self', capabilities: ['read'] },
  ];
}

/** What it takes to open a session: the pods, and the credentials in OpenBao. */
export function cassandraAccess(group: CassandraGroup, rows: Rows): readonly Access[] {
  return [
    ...portForwardAccess(namespaceOf(group)),
    ...podRead(namespaceOf(group)),
    { system: 'openbao', path: dataPath(credentialsPath(group, rows)), capabilities: ['read'] },
  ];
}

// Before each connection the pod is looked at once more: it must still be the one that was meant.
function podRead(namespace: string): readonly Access[] {
  return [{ system: 'kubernetes', verb: 'get', group: '', resource: 'pods', namespace }];
}

/** The document as a resource, in the words of every step on key-value secrets, and the server pods that it is reached through. */
export function documentResources(group: OpenBaoGroup, mode: Resource['mode']): readonly Resource[] {
  const namespace = namespaceOf(group);
  return [{ path: documentResource(group), mode }, ...baoResources({ namespace, selector: '' }, 'read')];
}

export function documentResource(group: OpenBaoGroup): string {
  const { mount, path } = documentPath(group);
  const parts = ['openbao-kv', namespaceOf(group), ...mount.split('/'), ...path.split('/')];
  return parts.map(known).join('/');
}

export function cassandraResource(group: CassandraGroup, rows: Rows, mode: Resource['mode']): Resource {
  return { path: `cassandra/${known(namespaceOf(group))}/${known(keyspaceOf(group, rows))}`, mode };
}

/** The namespace of a group. A plan describes steps before all of their input is known: a whole group may be missing then. */
export function namespaceOf(group: { readonly namespace: string } | undefined): string {
  const { namespace }: { readonly namespace?: unknown } = group ?? {};
  return typeof namespace === 'string' ? namespace : '‹not known yet›';
}

/** A list of an input; none while a plan does not know it. */
export function listOf<Item>(list: readonly Item[]): readonly Item[] {
  return Array.isArray(list) ? list : [];
}

// A plan shows '‹known after x›' where a value is not known yet.
function known(text: string): string {
  return text === '' || /[‹\s]/.test(text) ? '*' : text;
}

/** For `check`: what is wrong with a group that an author wrote. */
export function groupProblems(
  name: string,
  group: OpenBaoGroup | CassandraGroup | undefined,
): readonly Problem[] {
  if (group === undefined) return [];
  const places = 'token' in group ? pathProblems(group) : [];
  return [...serverProblems(group), ...places].map((problem) => ({
    ...problem,
    path: [name, ...problem.path],
  }));
}

function pathProblems(group: OpenBaoGroup): readonly Problem[] {
  return (['mount', 'path'] as const)
    .filter((field) => /^\/|\/$|\/\/|^$/.test(group[field] ?? 'x'))
    .map((field) => ({
      path: [field],
      message: `'${group[field]}' begins or ends with a slash, or has an empty part.`,
    }));
}
