import { createHash } from 'node:crypto';
import type { V1Deployment } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import type { Verdict } from '../acknowledged.ts';
import { type Connection, isReady, listObjects } from '../api.ts';
import {
  askActiveOpenBao,
  cql,
  createUser,
  everyApiKeyValid,
  everySecretReadable,
  readMasterKeys,
} from '../control.ts';
import { type MasterKeyFields, readKeySet } from '../key-format.ts';
import { masterKeyPath } from '../openbao-content.ts';
import { waitFor } from '../shell.ts';
import type { Grant } from '../users.ts';
import { podsOf } from '../workloads.ts';

/** The services that encrypt with master keys, in the order in which they are refreshed. */
export const consumers = {
  ess: ['ess', 'app.kubernetes.io/name=helm-nvcf-ess-api'],
  apiKeys: ['api-keys', 'app.kubernetes.io/name=helm-nvcf-api-keys'],
  nvcfApi: ['nvcf', 'app.kubernetes.io/name=helm-nvcf-api'],
} as const;

/** Every key as `set/kid/hash of its bytes`, and who is active. */
export interface HeldKeys {
  readonly version: number;
  readonly keys: readonly string[];
  readonly currentKid: string;
  readonly fields: MasterKeyFields;
}

export async function heldKeys(): Promise<HeldKeys> {
  const { fields, version } = await readMasterKeys();
  const document = fields as MasterKeyFields;
  return { version, keys: keysOf(document), currentKid: document.current_kid, fields: document };
}

export function keysOf(fields: MasterKeyFields): string[] {
  return (['keys', 'private_jwks'] as const).flatMap((set) =>
    readKeySet(fields[set]).map(
      ({ kid, bytes }) => `${set}/${kid}/${createHash('sha256').update(bytes).digest('hex')}`,
    ),
  );
}

/** Every version of the document that OpenBao still holds. */
export async function keptVersions(): Promise<MasterKeyFields[]> {
  const { mount, path } = masterKeyPath;
  const { version } = await readMasterKeys();
  const all = await Promise.all(
    Array.from({ length: version }, (_, index) =>
      askActiveOpenBao('GET', `${mount}/data/${path}?version=${index + 1}`).catch(() => undefined),
    ),
  );
  return all.flatMap((answer) => {
    const fields = (answer as { data?: { data?: MasterKeyFields | null } } | undefined)?.data?.data;
    return fields == null ? [] : [fields];
  });
}

/** Takes check-and-set off again, as on a cluster that no run of ours has touched. */
export async function allowBlindWrites(): Promise<void> {
  const { mount, path } = masterKeyPath;
  await askActiveOpenBao('POST', `${mount}/metadata/${path}`, { cas_required: false });
}

/** All rows of namespace keys: primary key → everything else. */
export async function namespaceKeyRows(): Promise<ReadonlyMap<string, string>> {
  const rows = await cql(
    'SELECT namespace, kid, encrypted_at, created_at, encrypted_by_kid, encrypted_key, status FROM ess_api.encryption_keys_by_kid_and_encrypted_at',
  );
  return new Map(
    rows
      .filter(({ kid }) => kid !== null)
      .map(({ namespace, kid, encrypted_at: at, ...rest }) => [
        `${namespace}/${kid}/${(at as Date).getTime()}`,
        JSON.stringify(rest),
      ]),
  );
}

/** What of the first is missing or other in the second. */
export function lostOf(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  return [...before].filter(([key, value]) => after.get(key) !== value).map(([key]) => key);
}

/** Who wraps each namespace key now, by its newest row that is in use: kid of the master key → how many. */
export function wrappedBy(rows: ReadonlyMap<string, string>): Record<string, number> {
  const newest = new Map<string, { at: number; by: string }>();
  for (const [primary, text] of rows) {
    const { encrypted_by_kid: by, status } = JSON.parse(text) as { encrypted_by_kid: string; status: string };
    const [namespace, kid, at] = primary.split('/');
    const key = `${namespace}/${kid}`;
    if (/^(VALIDATED|CREATION_VALIDATED)$/.test(status) && Number(at) > (newest.get(key)?.at ?? 0))
      newest.set(key, { at: Number(at), by });
  }
  const counts: Record<string, number> = {};
  for (const { by } of newest.values()) counts[by] = (counts[by] ?? 0) + 1;
  return counts;
}

/** Replaces a service's pods, as a failure or a Helm upgrade would, and waits for the new ones. */
export async function replacePods(admin: Connection, service: keyof typeof consumers): Promise<void> {
  const [namespace, selector] = consumers[service];
  const before = await podsOf(admin, namespace, selector);
  for (const { metadata } of before)
    await admin.core.deleteNamespacedPod({
      namespace,
      name: metadata?.name ?? '',
      gracePeriodSeconds: 1,
    });
  const gone = new Set(before.map(({ metadata }) => metadata?.uid));
  await waitFor(
    async () => {
      const pods = await podsOf(admin, namespace, selector);
      return pods.length > 0 && pods.every((pod) => isReady(pod) && !gone.has(pod.metadata?.uid));
    },
    { what: `${service} to come back`, seconds: 180 },
  );
}

/** Answers that were wrong, of every secret and, after a restart of its service, of every API key. */
export async function everythingOpens(
  admin: Connection,
): Promise<{ asked: number; wrong: Verdict['wrong'] }> {
  await replacePods(admin, 'apiKeys');
  const verdicts = [await everySecretReadable(), await everyApiKeyValid()];
  return {
    asked: verdicts.reduce((sum, { asked }) => sum + asked, 0),
    wrong: verdicts.flatMap(({ wrong }) => wrong),
  };
}

interface Rules {
  kind: string;
  metadata: { namespace?: string };
  rules: Grant[];
}

/** A Kubernetes user and an OpenBao token with exactly the rights that `plan --access` printed. */
export async function grantAccess(
  name: string,
  printed: string,
): Promise<{ kubeconfig: string; token: string }> {
  const documents = parseAllDocuments(printed).map((document) => document.toJS() as Rules | null);
  const grants = documents.flatMap((document) =>
    (document?.rules ?? []).map((rule) => ({
      ...rule,
      ...(document?.kind === 'Role' ? { namespace: document.metadata.namespace ?? '' } : {}),
    })),
  );
  const lines = printed.split('\n').filter((line) => line.startsWith('# '));
  const policy = lines.slice(1).map((line) => line.slice(2));
  await askActiveOpenBao('PUT', `sys/policies/acl/${name}`, { policy: policy.join('\n') });
  const { auth } = (await askActiveOpenBao('POST', 'auth/token/create', {
    policies: [name],
    no_default_policy: true,
    ttl: '2h',
  })) as { auth: { client_token: string } };
  return { kubeconfig: await createUser(name, grants), token: auth.client_token };
}

/** Environment of the first container of ESS. */
export async function essEnvironment(admin: Connection): Promise<readonly string[]> {
  const all = await listObjects<V1Deployment>(admin, 'apps/v1', 'Deployment', 'ess');
  const env = all[0]?.spec?.template.spec?.containers[0]?.env ?? [];
  return env.map(({ name, value }) => `${name}=${value}`);
}
