import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OciRegistry {
  /** 'oci://127.0.0.1:1234/charts' */
  readonly url: string;
  /** Publishes a chart's archive under its version, or another one under the same; its digest. */
  publish(chart: string, version: string, archive: string): string;
  close(): Promise<void>;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** As much of a registry as `helm pull` asks for, over plain http on loopback. */
export async function startOciRegistry(): Promise<OciRegistry> {
  const content = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  const put = (path: string, type: string, bytes: Buffer) => content.set(path, { type, bytes });
  const server = createServer((request, response) => {
    const found =
      request.url === '/v2/'
        ? { type: 'application/json', bytes: Buffer.from('{}') }
        : content.get(request.url ?? '');
    if (found === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    response.writeHead(200, {
      'content-type': found.type,
      'content-length': found.bytes.length,
      'docker-content-digest': digestOf(found.bytes),
    });
    response.end(request.method === 'HEAD' ? undefined : found.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `oci://127.0.0.1:${port}/charts`,
    publish: (chart, version, archive) => {
      const layer = readFileSync(archive);
      const config = Buffer.from(JSON.stringify({ name: chart, version, apiVersion: 'v2' }));
      const descriptor = (mediaType: string, bytes: Buffer) => ({
        mediaType,
        digest: digestOf(bytes),
        size: bytes.length,
      });
      const type = 'application/vnd.oci.image.manifest.v1+json';
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: type,
          config: descriptor('application/vnd.cncf.helm.config.v1+json', config),
          layers: [descriptor('application/vnd.cncf.helm.chart.content.v1.tar+gzip', layer)],
        }),
      );
      const base = `/v2/charts/${chart}`;
      put(`${base}/blobs/${digestOf(config)}`, 'application/octet-stream', config);
      put(`${base}/blobs/${digestOf(layer)}`, 'application/octet-stream', layer);
      put(`${base}/manifests/${version}`, type, manifest);
      put(`${base}/manifests/${digestOf(manifest)}`, type, manifest);
      return digestOf(manifest);
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
