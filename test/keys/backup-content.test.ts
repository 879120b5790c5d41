import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backupContent, parseBackup } from '../../src/keys/backup-content.ts';
import { json } from './made.ts';

const content = {
  cluster: '8c1d0d0e-5f0e-4f0e-9f5e-1f2a3b4c5d6e',
  mount: 'services/all/kv',
  path: 'encryption/keys/stored_data',
  version: 7,
  createdTime: '2026-11-18T11:06:40.123456789Z',
  data: new TextEncoder().encode('{"keys":"x"}'),
};

const written = JSON.parse(Buffer.from(backupContent(content)).toString()) as Record<string, unknown>;

test('is JSON that anybody can read', () => {
  expect(written).toEqual({
    format: 'runbook-mek-backup/v1',
    cluster: content.cluster,
    mount: content.mount,
    path: content.path,
    version: 7,
    createdTime: content.createdTime,
    sha256: createHash('sha256').update('{"keys":"x"}').digest('hex'),
    data: Buffer.from('{"keys":"x"}').toString('base64'),
  });
});

test('gives the bytes back as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.string(), (data, path) => {
      const read = parseBackup(backupContent({ ...content, path, data }));
      expect(read.ok && { ...read.content, data: Uint8Array.from(read.content.data) }).toEqual({
        ...content,
        path,
        data,
      });
    }),
  );
});

describe('is refused', () => {
  const lacks = 'The backup lacks a member, or one has the wrong type.';
  test.each<[string, Record<string, unknown>, string]>([
    [
      'in another format',
      { format: 'runbook-mek-backup/v2' },
      "The backup's format is not runbook-mek-backup/v1.",
    ],
    ['without a member', { mount: undefined }, lacks],
    ['with version 0', { version: 0 }, lacks],
    ['with version 1.5', { version: 1.5 }, lacks],
    [
      'with other data',
      { data: Buffer.from('{"keys":"y"}').toString('base64') },
      "The backup's data does not have its hash.",
    ],
    ['with data that is not base64', { data: '{}' }, "The backup's data is not base64."],
  ])('%s', (_, over, problem) => {
    expect(parseBackup(json({ ...written, ...over }))).toEqual({ ok: false, problem });
  });

  test('when it is no JSON, without repeating it', () => {
    const read = parseBackup(Buffer.from(`{"data":"AAECAwQF"`));
    expect(read).toEqual({
      ok: false,
      problem: 'The backup holds no JSON: an object that does not end, at character 19.',
    });
    expect(parseBackup(json([written]))).toHaveProperty('ok', false);
  });
});
