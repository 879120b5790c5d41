import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { ctr } from './containerd.ts';
import { image, nextImage, pauseImage } from './image-names.ts';
import { busybox } from './packages.ts';
import { statePath } from './paths.ts';
import { run } from './shell.ts';

/** Writes our images as an OCI layout by hand, since none can be pulled, and hands them to containerd. */
export async function ensureImages(): Promise<void> {
  const present = (await ctr('images', 'list', '--quiet')).split('\n');
  if ([image, nextImage, pauseImage].every((name) => present.includes(name))) return;
  const folder = mkdtempSync(statePath('image-'));
  try {
    const layer = await makeLayer(folder);
    const layout = path.join(folder, 'layout');
    mkdirSync(path.join(layout, 'blobs', 'sha256'), { recursive: true });
    const blobs = path.join(layout, 'blobs', 'sha256');
    const manifests = [
      { ...writeManifest(blobs, layer, ['/bin/sh'], '1'), annotations: names(image) },
      { ...writeManifest(blobs, layer, ['/bin/sh'], '2'), annotations: names(nextImage) },
      { ...writeManifest(blobs, layer, ['/bin/sleep', '2147483647'], '1'), annotations: names(pauseImage) },
    ];
    writeFileSync(path.join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    writeFileSync(path.join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    const archive = path.join(folder, 'images.tar');
    await run('tar', ['-C', layout, '-cf', archive, 'oci-layout', 'index.json', 'blobs']);
    await ctr('images', 'import', archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function makeLayer(folder: string): Promise<Buffer> {
  const root = path.join(folder, 'root');
  for (const directory of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'var/run']) {
    mkdirSync(path.join(root, directory), { recursive: true });
  }
  chmodSync(path.join(root, 'tmp'), 0o1777);
  const program = path.join(root, 'bin', 'busybox');
  copyFileSync(busybox(), program);
  chmodSync(program, 0o755);
  for (const applet of (await run(program, ['--list'])).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', path.join(root, 'bin', applet));
  }
  writeFileSync(path.join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(path.join(root, 'etc', 'group'), 'root:x:0:\n');
  const file = path.join(folder, 'layer.tar');
  const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  await run('tar', [...reproducible, '-C', root, '-cf', file, '.']);
  return readFileSync(file);
}

function writeManifest(blobs: string, layer: Buffer, command: string[], version: string) {
  const layerBlob = writeBlob(blobs, layer, 'application/vnd.oci.image.layer.v1.tar');
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: command, Env: ['PATH=/usr/local/bin:/bin'], Labels: { version } },
    rootfs: { type: 'layers', diff_ids: [layerBlob.digest] },
  };
  const configBlob = writeBlob(blobs, JSON.stringify(config), 'application/vnd.oci.image.config.v1+json');
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = { schemaVersion: 2, mediaType, config: configBlob, layers: [layerBlob] };
  return writeBlob(blobs, JSON.stringify(manifest), mediaType);
}

function writeBlob(blobs: string, content: Buffer | string, mediaType: string) {
  const hash = createHash('sha256').update(content).digest('hex');
  const file = path.join(blobs, hash);
  writeFileSync(file, content);
  return { mediaType, digest: `sha256:${hash}`, size: statSync(file).size };
}

function names(name: string): Record<string, string> {
  return { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':')[1] ?? '' };
}
