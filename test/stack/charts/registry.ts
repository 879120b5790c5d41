import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ports, registryFolder, statePath } from '../paths.ts';
import type { Server } from '../processes.ts';
import { helm } from './helm.ts';

const address = `127.0.0.1:${ports.chartRegistry}`;
const repository = 'nvcf';

/** Where the charts are: behind it comes `/<chart>`. */
export const chartRegistry = `oci://${address}/${repository}`;

/** A registry for charts: the reference implementation, without logins, over plain http on loopback. */
export function registryServer(): Server {
  const config = statePath('registry', 'config.yml');
  mkdirSync(path.dirname(config), { recursive: true });
  const settings = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: statePath('registry', 'data') }, delete: { enabled: true } },
    http: { addr: address, secret: 'one registry, nothing to share' },
  };
  writeFileSync(config, JSON.stringify(settings));
  return {
    name: 'chart-registry',
    file: path.join(registryFolder(), 'registry'),
    args: ['serve', config],
    // It would otherwise look for somebody who collects traces.
    env: { OTEL_TRACES_EXPORTER: 'none' },
    seconds: 60,
    healthy: registryAnswers,
  };
}

/** Does the registry answer? */
export async function registryAnswers(): Promise<boolean> {
  const response = await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(3_000) });
  return response.ok;
}

/** Publishes a chart's archive under its name and version; the digest of what was published. */
export async function publishChart(archive: string): Promise<string> {
  // Helm tells the digest on standard error, and a failure by its exit code.
  await helm('push', archive, chartRegistry, '--plain-http');
  const [, chart = '', version = ''] = /([^/]+?)-(v?\d+\.\d+\.\d+[^/]*)\.tgz$/.exec(archive) ?? [];
  return digestOf(chart, version);
}

/** The digest that a version of a chart has in the registry now. */
export async function digestOf(chart: string, version: string): Promise<string> {
  const { digest } = await manifestOf(chart, version);
  return digest;
}

/** Puts the content of one version under the name of another one, as somebody who overwrites a release would; its digest. */
export async function moveTag(chart: string, { from, to }: { from: string; to: string }): Promise<string> {
  const { text, type } = await manifestOf(chart, from);
  const response = await fetch(urlOf(chart, to), {
    method: 'PUT',
    headers: { 'content-type': type },
    body: text,
  });
  if (!response.ok) throw new Error(`${chart} ${to} was not moved: HTTP ${response.status}`);
  return digestOf(chart, to);
}

async function manifestOf(chart: string, version: string) {
  const response = await fetch(urlOf(chart, version), {
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
  });
  if (!response.ok) throw new Error(`no ${chart} ${version} in the registry: HTTP ${response.status}`);
  return {
    text: await response.text(),
    type: response.headers.get('content-type') ?? '',
    digest: response.headers.get('docker-content-digest') ?? '',
  };
}

function urlOf(chart: string, version: string): string {
  return `http://${address}/v2/${repository}/${chart}/manifests/${version}`;
}
