import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { V1Secret } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { type Connection, deleteObject, putObject, readObject } from '../api.ts';
import { contentHash, type Manifest } from '../manifests/manifest.ts';
import { type Release, releases } from '../manifests/releases.ts';
import { statePath } from '../paths.ts';
import { helm } from './helm.ts';
import { pinnedArchive } from './publish.ts';

/** Label of a revision that says from which chart and values it was installed. */
const contentLabel = 'runbook-stack-content';

/** The Secrets in which Helm keeps the first revision of every release; nothing else of Helm's is there after a reset. */
export function firstRevisions(): Manifest[] {
  return releases().map(firstRevision);
}

/**
 * Installs the releases that are not there as these sources say, with all that they consist of as Helm writes it.
 * Hooks wait for the first upgrade: what they need is not there yet.
 */
export async function installReleases(connection: Connection): Promise<void> {
  await Promise.all(
    releases().map(async (release) => {
      if (readSnapshot(release)?.metadata?.labels?.[contentLabel] === contentOf(release)) return;
      await removeRevisions(connection, release);
      await install(release);
      await takeSnapshot(connection, release);
    }),
  );
}

/** Makes the first revision of every release the only one, and all of its objects as they were then. */
export async function restoreReleases(connection: Connection): Promise<void> {
  await installReleases(connection);
  await Promise.all(
    releases().map(async (release) => {
      const snapshot = readSnapshot(release);
      if (snapshot === undefined) throw new Error(`nothing is known of the release ${release.name}`);
      await Promise.all([
        restoreRevision(connection, release, snapshot),
        ...objectsOf(snapshot, release).map((object) => putObject(connection, object)),
      ]);
    }),
  );
}

async function install(release: Release): Promise<void> {
  const { name, namespace, values } = release;
  const file = statePath('releases', `${name}-values.json`);
  writePrivate(file, JSON.stringify(values));
  const flags = ['--namespace', namespace, '--values', file, '--no-hooks'];
  const labels = ['--labels', `${contentLabel}=${contentOf(release)}`];
  // A cluster of older sources holds the same objects.
  const command = ['install', name, pinnedArchive(release).file, ...flags, ...labels, '--take-ownership'];
  try {
    await helm(...command);
  } catch {
    // A field that cannot be changed makes new objects necessary.
    await helm('uninstall', name, '--namespace', namespace, '--no-hooks', '--wait', '--ignore-not-found');
    await helm(...command);
  }
}

function contentOf(release: Release): string {
  return contentHash([pinnedArchive(release).content, release.values]);
}

async function takeSnapshot(connection: Connection, release: Release): Promise<void> {
  const secret = (await readObject(connection, firstRevision(release))) as V1Secret | undefined;
  if (secret === undefined) throw new Error(`Helm kept nothing about the release ${release.name}`);
  const { metadata, type, data } = secret;
  const kept = { metadata: { labels: metadata?.labels }, type, data };
  writePrivate(snapshotFile(release), JSON.stringify(kept));
}

function readSnapshot(release: Release): V1Secret | undefined {
  const file = snapshotFile(release);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as V1Secret) : undefined;
}

async function restoreRevision(connection: Connection, release: Release, snapshot: V1Secret): Promise<void> {
  const present = (await readObject(connection, firstRevision(release))) as V1Secret | undefined;
  const same = (secret: V1Secret | undefined) =>
    JSON.stringify([secret?.data, secret?.metadata?.labels?.status]);
  if (same(present) === same(snapshot)) return;
  const { apiVersion, kind, metadata } = firstRevision(release);
  const labels = snapshot.metadata?.labels ?? {};
  const { type, data } = snapshot;
  await putObject(connection, { apiVersion, kind, metadata: { ...metadata, labels }, type, data });
}

async function removeRevisions(connection: Connection, { name, namespace }: Release): Promise<void> {
  const { items } = await connection.core.listNamespacedSecret({
    namespace,
    labelSelector: `owner=helm,name=${name}`,
  });
  await Promise.all(
    items.map(({ metadata }) =>
      deleteObject(connection, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: metadata?.name ?? '', namespace },
      }),
    ),
  );
}

/** What a revision consists of, with the marks that Helm leaves on it. */
function objectsOf({ data }: V1Secret, { name, namespace }: Release): Manifest[] {
  const packed = Buffer.from(Buffer.from(data?.release ?? '', 'base64').toString(), 'base64');
  const { manifest } = JSON.parse(gunzipSync(packed).toString('utf8')) as { manifest: string };
  return parseAllDocuments(manifest).map((document) => {
    const object = document.toJS() as Manifest;
    const { labels, annotations } = object.metadata;
    const marks = { 'meta.helm.sh/release-name': name, 'meta.helm.sh/release-namespace': namespace };
    return {
      ...object,
      metadata: {
        ...object.metadata,
        labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { ...annotations, ...marks },
      },
    };
  });
}

function firstRevision({ name, namespace }: Release): Manifest {
  const metadata = { name: `sh.helm.release.v1.${name}.v1`, namespace };
  return { apiVersion: 'v1', kind: 'Secret', metadata };
}

function snapshotFile({ name }: Release): string {
  return statePath('releases', `${name}.json`);
}

// Values and manifests of a release may hold what nobody else should read.
function writePrivate(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
}
