import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Release, releases } from '../manifests/releases.ts';
import { statePath } from '../paths.ts';
import { archiveOf } from './archive.ts';
import { type Chart, chartsOf } from './files.ts';
import { digestOf, publishChart } from './registry.ts';

/** Archive of a chart in the state folder: the file, and a name for its content. */
export interface Archive {
  readonly file: string;
  readonly content: string;
}

/** Writes the archive of a chart, unless it is there. */
export function archiveChart({ name, version, files }: Chart): Archive {
  const bytes = archiveOf(name, files);
  const content = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const file = statePath('charts', content, `${name}-${version}.tgz`);
  if (!existsSync(file)) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  return { file, content };
}

/** The archive that a release is installed from. */
export function pinnedArchive(release: Release): Archive {
  const [pinned] = chartsOf(release);
  if (pinned === undefined) throw new Error(`release ${release.name} has no chart`);
  return archiveChart(pinned);
}

type Published = Record<string, { content: string; digest: string }>;

/** Publishes every version of every chart that the registry does not have as it should be. */
export async function publishCharts(): Promise<void> {
  const record = statePath('charts', 'published.json');
  const known: Published = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {};
  const charts = releases().flatMap((release) => chartsOf(release));
  const published: Published = {};
  const work = charts[Symbol.iterator]();
  const publishRest = async () => {
    for (const chart of work) {
      const archive = archiveChart(chart);
      const name = `${chart.name} ${chart.version}`;
      const before = known[name];
      const present = await digestOf(chart.name, chart.version).catch(() => undefined);
      published[name] =
        before?.content === archive.content && before.digest === present
          ? before
          : { content: archive.content, digest: await publishChart(archive.file) };
    }
  };
  await Promise.all([publishRest(), publishRest(), publishRest(), publishRest()]);
  writeFileSync(record, JSON.stringify(published));
}
