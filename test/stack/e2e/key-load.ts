import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { askEss, post, type SecretPlace } from '../acknowledged.ts';
import { connect, isReady } from '../api.ts';
import { podsOf } from '../workloads.ts';
import { consumers } from './key-world.ts';

/** What came of everything that was asked while a run went on. */
export interface LoadReport {
  readonly written: number;
  readonly read: number;
  readonly issued: number;
  readonly validated: number;
  /** A stored secret that came back as another one, a valid API key that was refused. Never right. */
  readonly wrong: readonly string[];
  /** Secrets that ESS could not give back at that moment. */
  readonly unreadable: readonly string[];
}

interface Stored {
  readonly place: SecretPlace;
  readonly digest: string;
}

// Between two things that one client does, in milliseconds.
const breath = 200;

/** Writes and reads secrets, and issues and validates API keys, until it is stopped. */
export function startLoad(): { stop(): Promise<LoadReport> } {
  const connection = connect();
  const report = {
    written: 0,
    read: 0,
    issued: 0,
    validated: 0,
    wrong: [] as string[],
    unreadable: [] as string[],
  };
  const stored: Stored[] = [];
  const keys: string[] = [];
  let going = true;

  async function writeSecret(): Promise<void> {
    const place = placeOf(report.written);
    const data = { user: 'worker', password: randomBytes(24).toString('base64url') };
    const { status } = await askEss(connection, 'PUT', place, data);
    if (status !== 200) return;
    report.written += 1;
    stored.push({ place, digest: digestOf(data) });
  }

  async function readSecret(): Promise<void> {
    const one = anyOf(stored);
    if (one === undefined) return;
    const { status, body } = await askEss(connection, 'GET', one.place);
    const name = `${one.place.namespace}/${one.place.entityId}`;
    if (status !== 200) report.unreadable.push(`${name}: HTTP ${status} ${JSON.stringify(body)}`);
    else if (digestOf((body as { data: unknown }).data) === one.digest) report.read += 1;
    else report.wrong.push(`${name}: another value than was written`);
  }

  async function useApiKeys(): Promise<void> {
    const pods = (await podsOf(connection, ...consumers.apiKeys)).filter(isReady);
    const url = `http://${anyOf(pods)?.status?.podIP ?? ''}:8080/v1/keys`;
    const issued = await post(url, { owner: 'load' });
    if (issued.status === 200) {
      report.issued += 1;
      keys.push((issued.body as { key: string }).key);
    }
    const key = anyOf(keys);
    if (key === undefined) return;
    const { status } = await post(`${url}/validate`, { key });
    if (status === 200) report.validated += 1;
    else if (status === 401) report.wrong.push(`API key ${key.slice(0, 12)}… was refused`);
  }

  async function keepDoing(...work: (() => Promise<void>)[]): Promise<void> {
    while (going) {
      // A pod that is away answers nobody.
      for (const one of work) await one().catch(() => undefined);
      await pause(breath);
    }
  }

  const loops = [keepDoing(writeSecret, readSecret), keepDoing(useApiKeys)];
  return {
    async stop() {
      going = false;
      await Promise.all(loops);
      return report;
    },
  };
}

/** Now and then in a namespace that has no key yet. */
function placeOf(count: number): SecretPlace {
  const namespace = count % 10 === 9 ? `load-${randomUUID().slice(0, 8)}` : `tenant-0${1 + (count % 9)}`;
  return { namespace, entityType: 'functions', entityId: randomUUID(), path: 'load/secret' };
}

function anyOf<T>(items: readonly T[]): T | undefined {
  return items[Math.floor(Math.random() * items.length)];
}

function digestOf(data: unknown): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('hex');
}
