import type { JsonObject } from '../engine/json.ts';
import { parseDocuments } from '../engine/read/parse-documents.ts';
import { Secret } from '../engine/secret.ts';
import { HelmError, type HelmTarget, type HelmWriter, type ReleaseRef } from './helm.ts';
import { locateChart } from './helm-charts.ts';
import { createHelmClient, type HelmOptions, type HelmSession, understood } from './helm-client.ts';
import { type HelmPlace, hiddenTexts } from './helm-errors.ts';
import { readHistory, readList, readRelease, readUpgrade } from './helm-output.ts';
import { identify, isAlive } from './process-identity.ts';

/** Label of a release that an operation of ours has made. */
const OPERATION = 'runbook.io/operation';

/** Helm 3 by its program: values in private files, never in arguments; `--debug` and `--atomic` never. */
export function createHelm(options: HelmOptions): HelmWriter {
  const client = createHelmClient(options);
  const ask = (place: HelmPlace, args: readonly string[], signal: AbortSignal) =>
    client.session(async ({ run }) => (await run({ place, args, signal })).stdout);
  return {
    version: (signal) => client.version(signal),
    list: async ({ namespace }, signal) => {
      const where = namespace === undefined ? ['--all-namespaces'] : inNamespace(namespace);
      const place = reading(`list the releases of ${namespace ?? 'all namespaces'}`);
      const args = ['list', '--all', '--max', '0', '--time-format', rfc3339, ...where, ...json];
      const text = await ask(place, args, signal);
      return understood(place, () => readList(text));
    },
    history: async (at, signal) => {
      const place = reading(`read the history of release ${nameOf(at)}`);
      const text = await ask(place, ['history', ...json, ...named(at)], signal);
      const revisions = understood(place, () => readHistory(text));
      if (revisions.length > 0) return revisions;
      throw releaseMissing(place);
    },
    release: (at, signal) =>
      client.session(async ({ run }) => {
        const place = reading(`read release ${nameOf(at)}`);
        const which = [...revisionOf(at), ...json, ...named(at)];
        const status = await run({ place, args: ['status', ...which], signal });
        const metadata = await run({ place, args: ['get', 'metadata', ...which], signal });
        return understood(place, () => readRelease(status.stdout, metadata.stdout));
      }),
    values: async (at, signal) => {
      const place = reading(`read the values of release ${nameOf(at)}`);
      const args = ['get', 'values', ...revisionOf(at), '--output', 'yaml', ...named(at)];
      return Secret.fromText('values', await ask(place, args, signal));
    },
    render: (target, signal) =>
      client.session(async (session) => {
        const place = reading(`render release ${nameOf(target)}`);
        const chart = await locateChart(session, target, signal);
        const args = [...(await upgradeArguments(session, target)), '--dry-run=server'];
        const hidden = () => hiddenOf(session, target, signal);
        const call = { place, args: [...args, ...named(target), chart.path], signal, hidden };
        const { stdout } = await session.run(call);
        const { revision: _, ...content } = understood(place, () => readUpgrade(stdout));
        return { ...content, digest: chart.digest };
      }),
    isMarked: async (at, signal) => {
      const place = reading(`look for the mark of this run on release ${nameOf(at)}`);
      const filter = `^${at.release.replaceAll('.', '\\.')}$`;
      const selector = `${OPERATION}=${at.operation}`;
      const args = ['list', '--all', '--filter', filter, '--selector', selector, '--time-format', rfc3339];
      const text = await ask(place, [...args, ...inNamespace(at.namespace), ...json], signal);
      return understood(place, () => readList(text)).length > 0;
    },
    client: (identity) => {
      const { bootId } = identify(identity.pid);
      if (bootId === '' || identity.bootId !== bootId) return 'unknown';
      return isAlive(identity) ? 'alive' : 'ended';
    },
    upgrade: (target, { signal, onStart, timeout }) =>
      client.session(async (session) => {
        const place = { what: `upgrade release ${nameOf(target)}`, write: true };
        const { operation } = target;
        const chart = await locateChart(session, target, signal);
        const args = [
          ...(await upgradeArguments(session, target)),
          ...waiting(timeout),
          ...['--labels', `${OPERATION}=${operation}`, '--description', `runbook ${operation}`],
          ...named(target),
          chart.path,
        ];
        const hidden = () => hiddenOf(session, target, signal);
        const { stdout } = await session.run({ place, args, signal, onStart, hidden });
        const { revision, chartVersion, appVersion } = understood(place, () => readUpgrade(stdout));
        return { revision, chartVersion, appVersion, digest: chart.digest };
      }),
    rollback: (at, { signal, onStart, timeout }) =>
      client.session(async ({ run }) => {
        const place = { what: `roll release ${nameOf(at)} back to revision ${at.revision}`, write: true };
        const args = ['rollback', ...waiting(timeout), ...named(at), String(at.revision)];
        await run({ place, args, signal, onStart });
      }),
  };
}

const json = ['--output', 'json'];
const rfc3339 = '2006-01-02T15:04:05.999Z07:00';

function reading(what: string): HelmPlace {
  return { what, write: false };
}

function nameOf({ namespace, release }: ReleaseRef): string {
  return `${namespace}/${release}`;
}

function inNamespace(namespace: string): readonly string[] {
  refuseBadName('namespace', namespace);
  return ['--namespace', namespace];
}

/** The end of a command line: nothing after it is taken for an option. */
function named({ namespace, release }: ReleaseRef): readonly string[] {
  refuseBadName('release', release);
  return [...inNamespace(namespace), '--', release];
}

function refuseBadName(what: string, name: string): void {
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/u.test(name) && name.length <= 63) return;
  throw new HelmError(`"${name}" is not the name of a ${what}.`, {
    reason: 'failed',
    outcome: 'not-applied',
    retryable: false,
  });
}

function revisionOf({ revision }: { readonly revision?: number }): readonly string[] {
  return revision === undefined ? [] : ['--revision', String(revision)];
}

function waiting(timeout: number): readonly string[] {
  return ['--wait', '--wait-for-jobs', '--timeout', `${Math.max(1, Math.round(timeout / 1000))}s`];
}

function releaseMissing(place: HelmPlace): HelmError {
  return new HelmError(`Cannot ${place.what}: there is no such release.`, {
    reason: 'release-missing',
    outcome: 'not-applied',
    retryable: false,
    hint: 'Check the release and its namespace with helm.list.',
  });
}

/** What the dry run and the upgrade have in common. Without `--reset-values`, an empty file would mean the old values. */
async function upgradeArguments(session: HelmSession, target: HelmTarget): Promise<readonly string[]> {
  if (target.values === 'reuse') return ['upgrade', '--reset-then-reuse-values', ...json];
  const { file } = target.values;
  parseValues(file);
  const name = await file.reveal((bytes) => session.workspace.write('values.yaml', bytes));
  return ['upgrade', '--reset-values', '--values', name, ...json];
}

function parseValues(file: Secret): JsonObject {
  const refuse = (why: string) =>
    new HelmError(`Cannot use the values file: ${why}.`, {
      reason: 'values',
      outcome: 'not-applied',
      retryable: false,
      hint: 'It must hold one YAML map, as `helm get values` prints it.',
    });
  return file.revealText((text) => {
    let documents: ReturnType<typeof parseDocuments>;
    try {
      documents = parseDocuments(text);
    } catch (cause) {
      throw refuse(`it is ${cause instanceof Error ? cause.message : 'no YAML'}`);
    }
    const [values = {}, second] = documents;
    if (second !== undefined) throw refuse('it holds several documents');
    if (typeof values !== 'object' || values === null || Array.isArray(values)) throw refuse('it is no map');
    return values as JsonObject;
  });
}

async function hiddenOf(
  { run }: HelmSession,
  target: HelmTarget,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const kept = [target.namespace, target.release, target.version];
  if (target.values !== 'reuse') return hiddenTexts(parseValues(target.values.file), kept);
  const place = reading(`read the values of release ${nameOf(target)}`);
  const { stdout } = await run({ place, args: ['get', 'values', ...json, ...named(target)], signal });
  return hiddenTexts(JSON.parse(stdout), kept);
}
