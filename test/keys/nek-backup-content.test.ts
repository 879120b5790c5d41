import { expect, test } from 'vitest';
import { nekBackupContent, parseNekBackup } from '../../src/keys/nek-backup-content.ts';

const row = {
  namespace: 'nvcf',
  kid: 'k',
  encryptedAt: 1_767_603_660_000,
  createdAt: '8b1a9d20-17f1-11f1-8c4a-0123456789ab',
  encryptedByKid: '7c0e2a10-17f1-11f1-9a1b-abcdef012345',
  encryptedKey: 'a.b.c.d.e',
  status: 'VALIDATED',
  currentKid: null,
};
const content = {
  cluster: 'uid',
  keyspace: 'ess_api',
  takenAt: '2026-01-05T09:01:00.000Z',
  rows: [row, { ...row, namespace: 'line\nbreak "quoted" \u{1F511}', encryptedKey: null }],
};

test('rows come back as they were, odd names and empty columns among them', () => {
  expect(parseNekBackup(nekBackupContent(content))).toEqual({ ok: true, content });
  expect(parseNekBackup(nekBackupContent({ ...content, rows: [] }))).toMatchObject({ ok: true });
});

test('what is cut off, changed or something else is refused, and nothing of a row is quoted', () => {
  const text = Buffer.from(nekBackupContent(content)).toString();
  const lines = text.trimEnd().split('\n');
  const refused = (changed: string) => {
    const read = parseNekBackup(Buffer.from(changed));
    expect(read.ok).toBe(false);
    return read.ok ? '' : read.problem;
  };
  expect(refused(lines.slice(0, 2).join('\n'))).toContain('says that it holds 2 rows, and has 1');
  expect(refused(text.replace('1767603660000', '"soon"'))).toContain('Row 1 of the backup');
  expect(refused(text.replace('runbook-nek-backup/v1', 'other'))).toContain('format');
  expect(refused('')).toContain('format');
  expect(refused(text.replace('"a.b.c.d.e"', '5'))).not.toContain('8b1a9d20');
});
