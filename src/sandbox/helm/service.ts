import type { JsonObject } from '../../engine/json.ts';
import { parseDocuments } from '../../engine/read/parse-documents.ts';
import { Secret } from '../../engine/secret.ts';
import type {
  HelmContent,
  HelmListed,
  HelmRevision,
  HelmRun,
  HelmTarget,
  HelmWriter,
  ReleaseRef,
} from '../../services/helm.ts';
import { HelmError } from '../../services/helm.ts';
import { type HelmPlace, sayHelm } from '../../services/helm-errors.ts';
import { kinds } from '../../services/kubernetes.ts';
import type { Caller } from '../connection.ts';
import type { Machine } from '../machine.ts';
import { helmApi } from './api.ts';
import { type Chart, findChart, REGISTRY, render, ValuesError } from './charts.ts';
import { Client } from './client.ts';
import { refusal, translate } from './errors.ts';
import { rollback, upgrade } from './operations.ts';
import { contentOf, fromSecret, objectsOf, type ReleaseRecord } from './records.ts';

const OPERATION = 'runbook.io/operation';
const never = new AbortController().signal;

/** Helm clients of this process that are at work, by when they started; they die with it. */
export type HelmClients = Map<number, AbortController>;

/** Simulated Helm 3: releases in Secrets, charts from a table, and a client that works call by call on the simulated cluster. */
export function sandboxHelm(machine: Machine, caller: Caller, clients: HelmClients): HelmWriter {
  const api = helmApi(machine, caller);
  const clientWith = (run: Partial<HelmRun>, killed = never) =>
    new Client({ machine, kubernetes: api, signal: run.signal ?? never, killed, timeout: run.timeout ?? 0 });
  const reader = clientWith({});

  async function history(at: ReleaseRef, place: HelmPlace): Promise<readonly ReleaseRecord[]> {
    const records = await reader.history(at);
    if (records.length > 0) return records;
    throw refusal(place, 'release-missing', 'there is no such release', 'Check it with helm.list.');
  }

  async function find(at: ReleaseRef & { readonly revision?: number }, place: HelmPlace) {
    const records = await history(at, place);
    const found =
      at.revision === undefined ? records.at(-1) : records.find(({ version }) => version === at.revision);
    if (found !== undefined) return found;
    throw refusal(place, 'release-missing', `there is no revision ${at.revision}`);
  }

  async function prepare(target: HelmTarget, place: HelmPlace) {
    const chart = locate(target);
    const records = await history(target, place);
    const last = records.at(-1) as ReleaseRecord;
    if (last.info.status.startsWith('pending-'))
      throw refusal(
        place,
        'pending',
        'another operation (install/upgrade/rollback) is in progress',
        'See helm.history: who works on it?',
      );
    const current = records.findLast(({ info }) => info.status === 'deployed') ?? last;
    const values = target.values === 'reuse' ? current.config : valuesOf(target.values.file, place);
    try {
      return {
        chart,
        current,
        last,
        values,
        content: contentOf(chart, values, render(chart, values, machine.world.live)),
      };
    } catch (failure) {
      if (!(failure instanceof ValuesError)) throw failure;
      throw refusal(place, 'values', failure.message, "Compare the values with the chart's.");
    }
  }

  /** Runs a client that can be killed; its answer is lost when a fault says so. */
  async function working(run: HelmRun, work: (client: Client) => Promise<void>): Promise<void> {
    let startTime = Math.floor(machine.clock.monotonic());
    while (clients.has(startTime)) startTime += 1;
    const kill = new AbortController();
    clients.set(startTime, kill);
    try {
      await run.onStart({ pid: 20_000, startTime, bootId: 'sandbox' });
      await work(clientWith(run, kill.signal));
    } finally {
      clients.delete(startTime);
    }
    if (machine.faults.take(caller.instance, 'answer') === undefined) return;
    throw new HelmError('helm was ended by SIGKILL before it answered.', {
      reason: 'failed',
      outcome: 'unknown',
      retryable: false,
    });
  }

  return {
    version: async () => 'v3.19.5',
    client: ({ startTime }) => (clients.has(startTime) ? 'alive' : 'ended'),
    list: ({ namespace }) =>
      asking(`list the releases of ${namespace ?? 'all namespaces'}`, async () => {
        const where = { labelSelector: 'owner=helm', ...(namespace === undefined ? {} : { namespace }) };
        const newest = new Map<string, ReleaseRecord>();
        for (const record of (await api.list(kinds.secrets, where)).map(fromSecret)) {
          const key = `${record.namespace}/${record.name}`;
          if ((newest.get(key)?.version ?? 0) < record.version) newest.set(key, record);
        }
        return [...newest.values()].map(listed);
      }),
    history: (at) =>
      asking(`read the history of release ${nameOf(at)}`, async (place) =>
        (await history(at, place)).map(revision),
      ),
    release: (at) =>
      asking(`read release ${nameOf(at)}`, async (place) => {
        const record = await find(at, place);
        return { ...listed(record), ...revision(record), ...content(record) };
      }),
    values: (at) =>
      asking(`read the values of release ${nameOf(at)}`, async (place) => {
        const { config } = await find(at, place);
        return Secret.fromText('values', `${JSON.stringify(config, null, 2)}\n`);
      }),
    render: (target) =>
      asking(`render release ${nameOf(target)}`, async (place) => {
        const prepared = await prepare(target, place);
        return { ...content(prepared.content), digest: prepared.chart.digest };
      }),
    isMarked: (at) =>
      asking(`look for the mark of this run on release ${nameOf(at)}`, async () => {
        const last = (await reader.history(at)).at(-1);
        return last?.labels[OPERATION] === at.operation;
      }),
    upgrade: (target, run) =>
      changing(`upgrade release ${nameOf(target)}`, async (place) => {
        const { chart, values, ...prepared } = await prepare(target, place);
        const { operation } = target;
        let version = prepared.last.version;
        try {
          await working(run, async (client) => {
            const labels = { [OPERATION]: operation };
            const done = await upgrade(client, { ...prepared, labels, description: `runbook ${operation}` });
            version = done.version;
          });
        } catch (failure) {
          throw translate(place, failure, values);
        }
        return {
          revision: version,
          chartVersion: chart.version,
          appVersion: chart.appVersion,
          digest: chart.digest,
        };
      }),
    rollback: (at, run) =>
      changing(`roll release ${nameOf(at)} back to revision ${at.revision}`, async (place) => {
        const target = await find(at, place);
        const records = await history(at, place);
        const stopped = () => run.signal.aborted;
        await working(run, (client) => rollback(client, { history: records, target }, stopped));
      }),
  };

  async function asking<T>(what: string, work: (place: HelmPlace) => Promise<T>): Promise<T> {
    return await translated({ what, write: false }, work);
  }

  async function changing<T>(what: string, work: (place: HelmPlace) => Promise<T>): Promise<T> {
    return await translated({ what, write: true }, work);
  }

  async function translated<T>(place: HelmPlace, work: (place: HelmPlace) => Promise<T>): Promise<T> {
    machine.clock.touch();
    try {
      return await work(place);
    } catch (failure) {
      throw translate(place, failure);
    }
  }
}

function nameOf({ namespace, release }: ReleaseRef): string {
  return `${namespace}/${release}`;
}

function revision({ version, info, chart }: ReleaseRecord): HelmRevision {
  return {
    revision: version,
    updated: info.last_deployed,
    status: info.status,
    chart: chart.metadata.name,
    chartVersion: chart.metadata.version,
    appVersion: chart.metadata.appVersion,
    description: sayHelm(info.description),
  };
}

function listed(record: ReleaseRecord): HelmListed {
  const { description: _, ...rest } = revision(record);
  return { namespace: record.namespace, release: record.name, ...rest };
}

function content(record: Pick<ReleaseRecord, 'chart' | 'config' | 'manifest' | 'hooks'>): HelmContent {
  const { name, version, appVersion } = record.chart.metadata;
  return {
    chart: name,
    chartVersion: version,
    appVersion,
    objects: objectsOf(record),
    hooks: record.hooks.map((hook) => ({
      kind: hook.kind,
      name: hook.name,
      events: hook.events,
      weight: hook.weight,
      phase: hook.last_run.phase,
      object: JSON.parse(hook.manifest) as JsonObject,
    })),
    values: Secret.fromText('values', JSON.stringify(record.config)),
  };
}

function locate(target: HelmTarget): Chart {
  const place = { what: `use the chart ${target.chart} ${target.version}`, write: false };
  const chart = findChart(target.chart, target.version);
  if (chart === undefined)
    throw refusal(
      place,
      'chart-missing',
      'the registry of the sandbox does not have it',
      `Its charts are ${REGISTRY}/<chart>, in the installed version and the next ones.`,
    );
  if (target.digest === undefined || target.digest === chart.digest) return chart;
  throw refusal(
    place,
    'digest-moved',
    `its digest was to be ${target.digest}, and it is ${chart.digest}`,
    'Somebody published other content under the same version. Find out who and why before it is installed.',
  );
}

function valuesOf(file: Secret, place: HelmPlace): JsonObject {
  const documents = file.revealText((text) => {
    try {
      return parseDocuments(text);
    } catch {
      return undefined;
    }
  });
  const [values = {}, second] = documents ?? [null];
  if (second === undefined && typeof values === 'object' && values !== null && !Array.isArray(values))
    return values as JsonObject;
  throw refusal(place, 'values', 'the values file is no YAML map');
}
