import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { BaoRaftSnapshotWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { raftSnapshot } from '../../../src/steps/bao/raft-snapshot.ts';
import { baoInput, baoRig } from '../../fakes/bao-rig.ts';

const file = './backups/openbao.snap';
const input = { ...baoInput, file } as unknown as BaoRaftSnapshotWith;
const content = Buffer.from('first piece, second piece');
const sha256 = createHash('sha256').update(content).digest('hex');

async function captured() {
  const made = baoRig();
  made.bao.snapshot = [content.subarray(0, 11), content.subarray(11)];
  const before = await raftSnapshot.capture(input, made.ctx);
  return { ...made, look: () => raftSnapshot.observe(input, before, made.ctx) };
}

describe('bao.raft-snapshot', () => {
  test('streams the snapshot of the active pod into a new file', async () => {
    const { ctx, bao, files, look } = await captured();
    const outputs = await raftSnapshot.run(input, ctx);
    expect(outputs).toEqual({ file, bytes: content.length, sha256 });
    expect(Buffer.from(files.content.get(file) ?? []).equals(content)).toBe(true);
    expect(bao.calls).toEqual(['snapshot bao-1']);
    expect(await look()).toMatchObject({ state: 'applied', outputs });
  });

  test('never overwrites', async () => {
    const { ctx, files, bao } = await captured();
    expect(await raftSnapshot.predict(input, ctx)).toMatchObject({ changes: true, outputs: { file } });
    files.content.set(file, Buffer.from('old'));
    for (const call of [raftSnapshot.predict, raftSnapshot.capture])
      await expect(call(input, ctx)).rejects.toMatchObject({ code: 'file-exists', outcome: 'not-applied' });
    await expect(raftSnapshot.run(input, ctx)).rejects.toMatchObject({ code: 'file-not-created' });
    expect(String(files.content.get(file))).toBe('old');
    expect(bao.calls).toEqual([]);
  });

  test('nothing is taken for a snapshot that was not proven to be whole', async () => {
    const { ctx, files, look } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    files.content.set(file, content);
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('remove it') });
    files.content.delete(file);
    await raftSnapshot.run(input, ctx);
    expect(await look()).toMatchObject({ state: 'applied' });
    for (const other of [content.subarray(1), Buffer.alloc(content.length)]) {
      files.content.set(file, other);
      expect(await look()).toMatchObject({ state: 'conflict' });
    }
    files.unreadable = new Error('permission denied');
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('a crash while it was kept does not hide a later, whole one', async () => {
    const { ctx, look } = await captured();
    await ctx.keep('snapshot', Buffer.from('{"sha256":"00'));
    await raftSnapshot.run(input, ctx);
    expect(await look()).toMatchObject({ state: 'applied', outputs: { sha256 } });
  });

  test.each([
    [403, 'policy-missing', ['path "sys/storage/raft/snapshot" {', '  capabilities = ["read"]', '}']],
    [307, 'no-snapshot', []],
  ])('a snapshot that is refused (%i) leaves no file', async (status, code, details) => {
    const { ctx, bao, files, look } = await captured();
    // biome-ignore lint/correctness/useYield: it fails before its first piece
    bao.raftSnapshot = async function* () {
      throw new OpenBaoError('refused', { status, outcome: 'not-applied', retryable: false });
    };
    await expect(raftSnapshot.run(input, ctx)).rejects.toMatchObject({
      code,
      outcome: 'not-applied',
      details,
    });
    expect(files.content.size).toBe(0);
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });

  test('a disk that is full is told, and what came of it is looked at', async () => {
    const { ctx, files, look } = await captured();
    files.full = new Error('Cannot create x: the disk is full');
    await expect(raftSnapshot.run(input, ctx)).rejects.toMatchObject({
      code: 'file-not-created',
      message: 'Cannot create x: the disk is full',
      outcome: 'unknown',
    });
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });
});
