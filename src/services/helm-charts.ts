import { createHash } from 'node:crypto';
import { copyFile, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type HelmChartRef, HelmError, type HelmReason } from './helm.ts';
import { type HelmSession, understood } from './helm-client.ts';
import { readChart } from './helm-output.ts';

/** A chart on this disk that nobody else changes any more (a folder of the user's is used as it is). */
export interface LocatedChart {
  readonly path: string;
  readonly digest: string;
}

/** Fetches a chart into the session's folder and proves that it is the one that was meant. */
export async function locateChart(
  session: HelmSession,
  ref: HelmChartRef,
  signal: AbortSignal,
): Promise<LocatedChart> {
  refuseUnclear(ref);
  const found = ref.chart.startsWith('oci://') ? await pull(session, ref, signal) : await copy(session, ref);
  const { digest } = found;
  if (ref.digest !== undefined && ref.digest !== digest) {
    const is = digest === '' ? 'a folder has none' : `it is ${digest}`;
    throw refused(ref, `its digest was to be ${ref.digest}, and ${is}`, {
      reason: 'digest-moved',
      hint: 'Somebody published other content under the same version. Find out who and why before it is installed.',
    });
  }
  const place = { what: `read the chart ${ref.chart}`, write: false };
  const { stdout } = await session.run({ place, args: ['show', 'chart', '--', found.path], signal });
  const { version } = understood(place, () => readChart(stdout));
  if (version !== ref.version) throw refused(ref, `it has version ${version}, not ${ref.version}`);
  return found;
}

async function pull(session: HelmSession, ref: HelmChartRef, signal: AbortSignal): Promise<LocatedChart> {
  const { folder } = session.workspace;
  const place = { what: `fetch the chart ${ref.chart} ${ref.version}`, write: false, registry: true };
  const plain = ref.plainHttp === true ? ['--plain-http'] : [];
  const args = ['pull', '--destination', folder, '--version', ref.version, ...plain, '--', ref.chart];
  const { stdout, stderr } = await session.run({ place, args, signal });
  const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  const digest = /^Digest:\s*(sha256:[0-9a-f]{64})\s*$/mu.exec(`${stderr}\n${stdout}`)?.[1];
  if (archive === undefined || digest === undefined)
    throw refused(ref, 'helm did not say what it fetched', { reason: 'failed' });
  return { path: path.join(folder, archive), digest };
}

async function copy(session: HelmSession, ref: HelmChartRef): Promise<LocatedChart> {
  const source = path.resolve(ref.chart);
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) return { path: source, digest: '' };
  if (!found?.isFile()) throw refused(ref, 'there is no such folder or archive');
  const target = path.join(session.workspace.folder, 'chart.tgz');
  await copyFile(source, target);
  const digest = createHash('sha256')
    .update(await readFile(target))
    .digest('hex');
  return { path: target, digest: `sha256:${digest}` };
}

function refuseUnclear(ref: HelmChartRef): void {
  if (!/^v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/u.test(ref.version))
    throw refused(ref, `"${ref.version}" is no exact version`, { hint: 'Write all of it: 1.25.2.' });
  if (!/^(?:oci:\/\/[^\s-]|\.{0,2}\/)/u.test(ref.chart))
    throw refused(ref, 'it is neither an oci:// reference nor a path', {
      hint: 'Write oci://registry/repository/chart, ./folder or /path/chart.tgz; names of `helm repo` differ from machine to machine.',
    });
  const plain = ref.plainHttp === true && ref.chart.startsWith('oci://');
  if (plain && !/^oci:\/\/(?:localhost|127(?:\.\d+){3}|\[::1\])[:/]/u.test(ref.chart))
    throw refused(ref, 'plain http is accepted on loopback only');
}

function refused(
  ref: HelmChartRef,
  why: string,
  { reason = 'chart-missing', hint }: { readonly reason?: HelmReason; readonly hint?: string } = {},
): HelmError {
  return new HelmError(`Cannot use the chart ${ref.chart} ${ref.version}: ${why}.`, {
    reason,
    outcome: 'not-applied',
    retryable: false,
    hint: hint ?? (reason === 'chart-missing' ? 'Check the chart reference and the version.' : undefined),
  });
}
