import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { V1Secret } from '@kubernetes/client-node';
import { type Connection, putObject } from './api.ts';
import {
  openbaoControlFolder,
  openbaoPods,
  rootTokenSecret,
  unsealSecret,
  vaultNamespace,
} from './manifests/openbao.ts';
import { lastLines, waitFor } from './shell.ts';

/** Seal state of one OpenBao pod, as the pod itself tells it. */
export interface OpenBaoStatus {
  pod: string;
  reachable: boolean;
  initialized?: boolean;
  sealed?: boolean;
  active?: boolean;
}

/** Asks every pod for its seal state, over the pod's own address. */
export async function openBaoStatus(connection: Connection): Promise<OpenBaoStatus[]> {
  return Promise.all(
    openbaoPods.map(async (pod) => {
      try {
        const seal = (await call(connection, pod, 'GET', 'sys/seal-status')) as {
          initialized: boolean;
          sealed: boolean;
        };
        const active =
          !seal.sealed &&
          ((await call(connection, pod, 'GET', 'sys/leader')) as { is_self: boolean }).is_self;
        return { pod, reachable: true, initialized: seal.initialized, sealed: seal.sealed, active };
      } catch {
        return { pod, reachable: false };
      }
    }),
  );
}

/** Names of the raft voters, as the active pod sees them. */
export async function raftVoters(connection: Connection): Promise<string[]> {
  const pod = await activePod(connection);
  if (pod === undefined) return [];
  const answer = (await call(connection, pod, 'GET', 'sys/storage/raft/configuration', {
    token: await rootToken(connection),
  })) as {
    data: { config: { servers: { node_id: string; voter: boolean }[] } };
  };
  return answer.data.config.servers.filter(({ voter }) => voter).map(({ node_id }) => node_id);
}

/** Initialises a new cluster, unless it is initialised, and waits for three unsealed voters. */
export async function ensureOpenBao(connection: Connection): Promise<void> {
  const first = openbaoPods[0];
  const status = await waitFor(
    async () => (await openBaoStatus(connection)).find(({ pod, reachable }) => pod === first && reachable),
    { what: `${first} to answer`, seconds: 120, explain: () => openBaoLogs(connection, first) },
  );
  if (status.initialized === false) await initialize(connection, first);
  await settleOpenBao(connection);
}

/** Lets the sidecars unseal with their usual delay, and waits until all pods are unsealed voters. */
export async function settleOpenBao(connection: Connection): Promise<void> {
  releaseOpenBao();
  await waitForVoters(connection);
}

async function waitForVoters(connection: Connection): Promise<void> {
  await waitFor(
    async () => {
      const states = await openBaoStatus(connection);
      const unsealed = states.every(({ sealed }) => sealed === false) && states.some(({ active }) => active);
      return unsealed && (await raftVoters(connection)).length === openbaoPods.length;
    },
    {
      what: 'three unsealed OpenBao voters',
      seconds: 180,
      everyMs: 300,
      explain: async () => {
        const logs = await Promise.all(openbaoPods.map((pod) => openBaoLogs(connection, pod)));
        return [JSON.stringify(await openBaoStatus(connection)), ...logs].join('\n');
      },
    },
  );
}

/** Seals one pod. With `hold` it stays sealed until `releaseOpenBao`; otherwise its sidecar soon unseals it again. */
export async function sealPod(connection: Connection, pod: string, hold: boolean): Promise<void> {
  if (hold) keepSealed(pod);
  if ((await activePod(connection)) === pod) {
    await call(connection, pod, 'POST', 'sys/seal', { token: await rootToken(connection) });
  } else {
    // A standby refuses to be sealed; a new process starts sealed.
    await connection.core.deleteNamespacedPod({
      name: pod,
      namespace: vaultNamespace,
      gracePeriodSeconds: 1,
    });
  }
  await waitFor(
    async () => (await openBaoStatus(connection)).some((state) => state.pod === pod && state.sealed === true),
    { what: `${pod} to be sealed`, seconds: 60 },
  );
}

/** Sets how long the sidecars wait before they unseal. */
export function setUnsealDelay(seconds: number): void {
  mkdirSync(openbaoControlFolder(), { recursive: true });
  writeFileSync(path.join(openbaoControlFolder(), 'unseal-delay'), String(seconds));
}

/** Takes back `sealPod`'s hold and `setUnsealDelay`. */
export function releaseOpenBao(): void {
  if (!existsSync(openbaoControlFolder())) return;
  for (const file of ['unseal-delay', ...openbaoPods.map((pod) => `hold-${pod}`)]) {
    rmSync(path.join(openbaoControlFolder(), file), { force: true });
  }
}

/** The root token, from its Secret. */
export function rootToken(connection: Connection): Promise<string> {
  return secretValue(connection, rootTokenSecret, 'root_token');
}

async function initialize(connection: Connection, first: string): Promise<void> {
  // The Secret reaches the sidecars at some later time; until all is done nobody else must unseal.
  for (const pod of openbaoPods) keepSealed(pod);
  const body = { secret_shares: 1, secret_threshold: 1 };
  const answer = (await call(connection, first, 'POST', 'sys/init', { body })) as {
    keys_base64: string[];
    root_token: string;
  };
  const [key = ''] = answer.keys_base64;
  await putSecret(connection, unsealSecret, 'unseal_key', key);
  await putSecret(connection, rootTokenSecret, 'root_token', answer.root_token);
  await call(connection, first, 'POST', 'sys/unseal', { body: { key } });
  // New members become voters only after this time; ten seconds are the default.
  const stabilization = { token: answer.root_token, body: { server_stabilization_time: '1s' } };
  await waitFor(
    () => call(connection, first, 'POST', 'sys/storage/raft/autopilot/configuration', stabilization),
    { what: `${first} to become active`, seconds: 60 },
  );
  for (const pod of openbaoPods.slice(1)) {
    await waitFor(
      async () => (await openBaoStatus(connection)).some((state) => state.pod === pod && state.initialized),
      { what: `${pod} to find ${first}`, seconds: 60 },
    );
    await call(connection, pod, 'POST', 'sys/unseal', { body: { key } });
  }
  await waitForVoters(connection);
}

function keepSealed(pod: string): void {
  mkdirSync(openbaoControlFolder(), { recursive: true });
  writeFileSync(path.join(openbaoControlFolder(), `hold-${pod}`), '');
}

/** Asks OpenBao something: method, path behind `/v1/`, body; answers its JSON, and throws on a status of 400 or more. */
export type AskOpenBao = (method: string, endpoint: string, body?: object) => Promise<unknown>;

/** Talks to the pod that is active now, with the root token. */
export async function openBaoSession(connection: Connection): Promise<AskOpenBao> {
  const pod = await waitFor(() => activePod(connection), { what: 'an active OpenBao pod', seconds: 60 });
  const [address, token] = await Promise.all([addressOf(connection, pod), rootToken(connection)]);
  return (method, endpoint, body) =>
    send(`${address}/v1/${endpoint}`, {
      method,
      token,
      seconds: 20,
      ...(body === undefined ? {} : { body }),
    });
}

async function activePod(connection: Connection): Promise<string | undefined> {
  return (await openBaoStatus(connection)).find(({ active }) => active)?.pod;
}

async function call(
  connection: Connection,
  pod: string,
  method: string,
  endpoint: string,
  options: { token?: string; body?: object } = {},
): Promise<unknown> {
  const address = await addressOf(connection, pod);
  // The address of a pod that was just deleted swallows packets.
  const seconds = method === 'GET' ? 2 : 10;
  return send(`${address}/v1/${endpoint}`, { method, seconds, ...options });
}

async function addressOf({ core }: Connection, pod: string): Promise<string> {
  const { status } = await core.readNamespacedPod({ name: pod, namespace: vaultNamespace });
  if (!status?.podIP) throw new Error(`${pod} has no address yet`);
  return `http://${status.podIP}:8200`;
}

async function send(
  url: string,
  { method, token, body, seconds }: { method: string; token?: string; body?: object; seconds: number },
): Promise<unknown> {
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(seconds * 1000),
    ...(token === undefined ? {} : { headers: { 'x-vault-token': token } }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: HTTP ${response.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

async function openBaoLogs({ core }: Connection, pod: string): Promise<string> {
  const log = await core.readNamespacedPodLog({
    name: pod,
    namespace: vaultNamespace,
    container: 'openbao',
    tailLines: 15,
  });
  return `last lines of ${pod}:\n${lastLines(log, 15)}`;
}

async function putSecret(connection: Connection, name: string, key: string, value: string): Promise<void> {
  await putObject(connection, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: vaultNamespace },
    stringData: { [key]: value },
  });
}

async function secretValue({ core }: Connection, name: string, key: string): Promise<string> {
  const { data }: V1Secret = await core.readNamespacedSecret({ name, namespace: vaultNamespace });
  return Buffer.from(data?.[key] ?? '', 'base64').toString();
}
