import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

function entry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000600\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** A tar, gzipped. */
export function archive(entries: Readonly<Record<string, Buffer | string>>): Buffer {
  const parts = Object.entries(entries).map(([name, content]) => entry(name, Buffer.from(content)));
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(1024)]));
}

/** What a raft snapshot holds. */
export function snapshotEntries(state: Buffer): Record<string, Buffer | string> {
  const meta = '{"Version":1,"Index":7}';
  const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');
  const sums = `${sha256(meta)}  meta.json\n${sha256(state)}  state.bin\n`;
  return { 'meta.json': meta, 'state.bin': state, SHA256SUMS: sums, 'SHA256SUMS.sealed': 'sealed' };
}
