import { setTimeout as pause } from 'node:timers/promises';
import type { Connection } from '../api.ts';
import { isReady } from '../api.ts';
import {
  askActiveOpenBao,
  cassandraPods,
  killPod,
  openBaoStatus,
  pauseCassandra,
  resumeCassandra,
  runMigrations,
  sealOpenBao,
  stepDownOpenBao,
} from '../control.ts';
import { masterKeyPath } from '../openbao-content.ts';
import { podsOf } from '../workloads.ts';
import { consumers, heldKeys } from './key-world.ts';
import { anyOf } from './random.ts';

/** A moment of a run: the first event of that type for that step. */
export type Moment = readonly [type: string, id: string];

/** Something that goes wrong at a moment, beside the run. */
export interface Fault {
  readonly moments: readonly Moment[];
  strike(admin: Connection, random: () => number): Promise<void>;
  /** Secrets may be out of reach for a while. */
  readonly felt: boolean;
}

const changing: readonly Moment[] = [
  ['intended', 'guard'],
  ['done', 'guard'],
  ['intended', 'backup'],
  ['intended', 'publish'],
  ['result', 'publish'],
  ['intended', 'backupWithNew'],
  ['captured', 'loaded/converge'],
  ['intended', 'loaded/converge'],
  ['result', 'loaded/converge'],
  ['evaluated', 'activate'],
  ['intended', 'activate'],
  ['result', 'activate'],
  ['intended', 'active/converge'],
  ['result', 'active/converge'],
  ['captured', 'reencrypt'],
  ['intended', 'reencrypt'],
  ['result', 'reencrypt'],
  ['intended', 'probe'],
  ['evaluated', 'clean'],
];

/** Those at which rows are read or written. */
const ofRows: readonly Moment[] = [
  ['intended', 'backup'],
  ['intended', 'publish'],
  ['captured', 'reencrypt'],
  ['intended', 'reencrypt'],
  ['result', 'reencrypt'],
];

export const faults = {
  'pod: active OpenBao': {
    felt: true,
    moments: changing,
    strike: async () => killPod('vault-system', await openBaoPod(true)),
  },
  'pod: OpenBao standby': {
    felt: false,
    moments: changing,
    strike: async () => killPod('vault-system', await openBaoPod(false)),
  },
  'pod: ESS': { felt: true, moments: changing, strike: (admin) => killService(admin, 'ess') },
  'pod: API Keys': { felt: false, moments: changing, strike: (admin) => killService(admin, 'apiKeys') },
  'pod: Cassandra': {
    felt: true,
    moments: ofRows,
    strike: (_, random) => killPod('cassandra-system', anyOf(cassandraPods, random)),
  },
  'OpenBao is sealed': {
    felt: true,
    moments: changing,
    strike: async () => sealOpenBao(await openBaoPod(true)),
  },
  'OpenBao steps down': { felt: true, moments: changing, strike: () => stepDownOpenBao() },
  'Cassandra: one node stops': {
    felt: true,
    moments: ofRows,
    strike: async (_, random) => pauseCassandra(anyOf(cassandraPods, random)),
  },
  'Cassandra: two nodes stop for a while': {
    felt: true,
    moments: ofRows,
    strike: async () => {
      const stopped = cassandraPods.slice(0, 2);
      for (const pod of stopped) pauseCassandra(pod);
      await pause(8_000);
      for (const pod of stopped) resumeCassandra(pod);
    },
  },
  'the document is edited': { felt: false, moments: changing, strike: () => editDocument() },
  'the migrations Job, refused': {
    felt: false,
    moments: changing.filter(([, id]) => id !== 'guard'),
    strike: async () => {
      const { succeeded, log } = await runMigrations({ readFails: true });
      if (succeeded) throw new Error(`the migrations Job was not refused: ${log}`);
    },
  },
} as const satisfies Record<string, Fault>;

/** What the answer is lost to, by a text in the request. */
export const lostAnswers = {
  'the answer to a write of the document is lost':
    'POST /v1/services/all/kv/data/encryption/keys/stored_data',
  'the answer to a patch is lost': 'PATCH /apis/apps/v1/namespaces/api-keys/deployments/api-keys',
  'the answer to an insert of rows is lost': 'PENDING_REENCRYPTION',
} as const;

async function openBaoPod(active: boolean): Promise<string> {
  const found = (await openBaoStatus()).find((state) => state.reachable && state.active === active);
  if (found === undefined) throw new Error(`no OpenBao pod that is ${active ? '' : 'not '}active`);
  return found.pod;
}

async function killService(admin: Connection, service: keyof typeof consumers): Promise<void> {
  const [namespace, selector] = consumers[service];
  const pods = (await podsOf(admin, namespace, selector)).filter(isReady);
  for (const { metadata } of pods) await killPod(namespace, metadata?.name ?? '');
}

/** Somebody adds a field of their own, with check-and-set, as often as it takes. */
async function editDocument(): Promise<void> {
  const { mount, path } = masterKeyPath;
  for (;;) {
    const { version, fields } = await heldKeys();
    try {
      await askActiveOpenBao('POST', `${mount}/data/${path}`, {
        options: { cas: version },
        data: { ...fields, edited: new Date().toISOString() },
      });
      return;
    } catch (error) {
      if (!String(error).includes('check-and-set')) throw error;
    }
  }
}
