import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Connection, isReady } from './api.ts';
import { digestOf } from './key-rows.ts';
import { ledgerFolder } from './manifests/double.ts';
import { loadSeedData } from './seed-data.ts';
import { podsOf } from './workloads.ts';

/** Where a secret lies, as ESS's paths have it. */
export interface SecretPlace {
  namespace: string;
  entityType: string;
  entityId: string;
  path: string;
}

/** How many questions were asked, and those that got a wrong answer. */
export interface Verdict {
  asked: number;
  wrong: { what: string; answer: string }[];
}

interface SecretEntry extends SecretPlace {
  at: number;
  /** Null: deleted. */
  digest: string | null;
}

const selectors = {
  ess: 'app.kubernetes.io/name=helm-nvcf-ess-api',
  'api-keys': 'app.kubernetes.io/name=helm-nvcf-api-keys',
};

/** Asks every pod of ESS for every secret that ESS or the seed ever acknowledged. */
export async function everySecretReadable(connection: Connection): Promise<Verdict> {
  const last = new Map<string, SecretEntry>();
  for (const entry of ledger<SecretEntry>(ledgerFolder('ess-api'))) last.set(nameOf(entry), entry);
  const secrets = [...last.values()].filter(({ digest }) => digest !== null);
  const pods = await addresses(connection, 'ess');
  const { bearer } = await loadSeedData();
  return ask(
    pods.flatMap((address) => secrets.map((secret) => ({ address, secret }))),
    async ({ address, secret }) => {
      const { status, body } = await callEss(address, bearer, 'GET', secret);
      if (status !== 200) return `${nameOf(secret)}: HTTP ${status} ${JSON.stringify(body)}`;
      const { data } = body as { data: object };
      return digestOf(data) === secret.digest
        ? undefined
        : `${nameOf(secret)}: another value than was written`;
    },
  );
}

/** Asks every pod of API Keys about every key that it or the seed ever issued. */
export async function everyApiKeyValid(connection: Connection): Promise<Verdict> {
  const keys = ledger<{ at: number; key: string }>(ledgerFolder('api-keys'));
  const pods = await addresses(connection, 'api-keys');
  return ask(
    pods.flatMap((address) => keys.map(({ key }) => ({ address, key }))),
    async ({ address, key }) => {
      const { status } = await post(`http://${address}:8080/v1/keys/validate`, { key });
      return status === 200 ? undefined : `${key.slice(0, 10)}…: HTTP ${status}`;
    },
  );
}

/** Writes, reads or deletes one secret through one pod of ESS, the first unless another is named. */
export async function askEss(
  connection: Connection,
  method: 'PUT' | 'GET' | 'DELETE',
  place: SecretPlace,
  data?: object,
  pod = 0,
): Promise<{ status: number; body: unknown }> {
  const address = (await addresses(connection, 'ess'))[pod] ?? '';
  return callEss(address, (await loadSeedData()).bearer, method, place, data);
}

/** Has API Keys issue a key; answers the key. */
export async function issueApiKey(connection: Connection, owner: string): Promise<string> {
  const [address = ''] = await addresses(connection, 'api-keys');
  const { status, body } = await post(`http://${address}:8080/v1/keys`, { owner });
  if (status !== 200) throw new Error(`API Keys: HTTP ${status} ${JSON.stringify(body)}`);
  return (body as { key: string }).key;
}

/** Sends JSON, answers status and JSON. */
export async function post(url: string, body: object): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, body: await bodyOf(response) };
}

async function callEss(
  address: string,
  bearer: string,
  method: string,
  { namespace, entityType, entityId, path: secretPath }: SecretPlace,
  data?: object,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://${address}:8080/v1/${entityType}/${entityId}/${secretPath}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'x-ess-namespace': namespace },
    signal: AbortSignal.timeout(30_000),
    ...(data === undefined ? {} : { body: JSON.stringify({ data }) }),
  });
  return { status: response.status, body: await bodyOf(response) };
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === '' ? undefined : JSON.parse(text);
}

async function ask<T>(
  questions: T[],
  answer: (question: T) => Promise<string | undefined>,
): Promise<Verdict> {
  const wrong: Verdict['wrong'] = [];
  const queue = questions.values();
  const worker = async () => {
    for (const question of queue) {
      const found = await answer(question).catch((error: Error) => error.message);
      if (found !== undefined) wrong.push({ what: JSON.stringify(question), answer: found });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return { asked: questions.length, wrong };
}

async function addresses(connection: Connection, namespace: keyof typeof selectors): Promise<string[]> {
  const pods = (await podsOf(connection, namespace, selectors[namespace])).filter(isReady);
  if (pods.length === 0) throw new Error(`no pod of ${namespace} is ready`);
  return pods.map(({ status }) => status?.podIP ?? '');
}

/** All entries, oldest first. A pod that was killed may have left half a line. */
function ledger<T extends { at: number }>(folder: string): T[] {
  if (!existsSync(folder)) return [];
  const lines = readdirSync(folder).flatMap((file) =>
    readFileSync(path.join(folder, file), 'utf8').split('\n'),
  );
  const entries = lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as T];
    } catch {
      return [];
    }
  });
  return entries.sort((a, b) => a.at - b.at);
}

function nameOf({ namespace, entityType, entityId, path: secretPath }: SecretPlace): string {
  return `${namespace}/${entityType}/${entityId}/${secretPath}`;
}
