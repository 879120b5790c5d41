import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { World } from '../world.ts';
import { committedIndex } from './cluster.ts';
import type { BaoCluster } from './state.ts';

/** A raft snapshot as the server packs it. Its content says nothing to anybody: the same world gives the same bytes. */
export function snapshotOf(world: World, cluster: BaoCluster): Buffer {
  const state = noise(stateOf(cluster), 16 * 1024);
  const meta = Buffer.from(`{"Version":1,"ID":"bolt-snapshot","Index":${committedIndex(world)},"Term":3}`);
  const sums = Buffer.from(`${sha256(meta)}  meta.json\n${sha256(state)}  state.bin\n`);
  const entries: readonly (readonly [string, Buffer])[] = [
    ['meta.json', meta],
    ['state.bin', state],
    ['SHA256SUMS', sums],
    ['SHA256SUMS.sealed', noise(sums.toString(), 185)],
  ];
  const parts = entries.flatMap(([name, content]) => [
    header(name, content.length),
    content,
    padding(content),
  ]);
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(1024)]));
}

function stateOf(cluster: BaoCluster): string {
  const mounts = [...cluster.mounts.values()].map(({ path, entries, flat }) => ({
    path,
    flat: [...flat],
    entries: [...entries].map(([name, entry]) => [name, entry.current, [...entry.versions]]),
  }));
  return JSON.stringify(mounts);
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function noise(about: string, length: number): Buffer {
  const origin = sha256(about);
  const chunks: Buffer[] = [];
  for (let at = 0; at * 32 < length; at += 1)
    chunks.push(createHash('sha256').update(`${at} ${origin}`).digest());
  return Buffer.concat(chunks).subarray(0, length);
}

/** POSIX ustar. */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000600\x000000\x000000\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0${''.padStart(11, '0')}\0        0`, 124);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padding(content: Buffer): Buffer {
  return Buffer.alloc((512 - (content.length % 512)) % 512);
}
