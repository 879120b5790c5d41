import { CompactEncrypt, calculateJwkThumbprint, compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import type { NekRow } from '../../src/services/nek-store.ts';
import { documentOf, encoded, jwk, newer, openKeys, setOf } from './keys-rig.ts';
import { pass } from './rig.ts';

const MINUTE = 60_000;
const path = 'functions/11111111-2222-3333-4444-555555555555/env';

/** The master key of a kid in `keys`. */
function mekOf(sandbox: Sandbox, kid: unknown): Buffer {
  const found = setOf(documentOf(sandbox), 'keys').find((key) => key.kid === kid);
  return Buffer.from(found?.k ?? '', 'base64url');
}

/** The row that new secrets of `nvcf` are encrypted under. */
function currentRow(sandbox: Sandbox): NekRow {
  const rows = sandbox.inspect.nekRows('nvcf');
  const [row] = rows.filter(({ kid, currentKid }) => kid === currentKid);
  if (row === undefined) throw new Error('there is no current key');
  return row;
}

/** The same key in a newer row, with a header of the caller's. */
async function rewrapped(
  sandbox: Sandbox,
  change: (header: Record<string, unknown>) => Record<string, unknown>,
): Promise<{ readonly row: NekRow; readonly encryptedKey: string; readonly encryptedAt: number }> {
  const row = currentRow(sandbox);
  const mek = mekOf(sandbox, row.encryptedByKid);
  const { plaintext, protectedHeader } = await compactDecrypt(row.encryptedKey ?? '', mek);
  const encryptedAt = sandbox.services.clock.now();
  const header = change({ ...protectedHeader, encryptedAt });
  const encryptedKey = await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header })
    .encrypt(mek);
  return { row, encryptedKey, encryptedAt };
}

function insert(sandbox: Sandbox, given: Awaited<ReturnType<typeof rewrapped>>, status = 'VALIDATED'): void {
  const { row, encryptedKey, encryptedAt } = given;
  const { kid, createdAt, encryptedByKid } = row;
  sandbox.control.insertRows('nvcf', [
    {
      namespace: 'nvcf',
      kid,
      encryptedAt,
      createdAt: createdAt ?? '',
      encryptedByKid: encryptedByKid ?? '',
      encryptedKey,
      status,
    },
  ]);
}

describe('secrets', () => {
  test('come back as they were written, from every replica, and are gone when they are deleted', () => {
    const { control, inspect } = openKeys();
    expect(control.readSecret({ path })).toBe(404);
    expect(control.writeSecret({ path, value: 'first' })).toBe(200);
    expect(control.readSecret({ path })).toBe('first');
    expect(control.writeSecret({ path, value: 'second' })).toBe(200);
    expect(control.readSecret({ path })).toBe('second');
    expect(control.readSecret({ path, namespace: 'tenant-01' })).toBe(404);
    expect(inspect.everySecretReadable()).toMatchObject({ ok: true });
  });

  test('of a namespace without a key bring one about, as ESS creates it', async () => {
    const sandbox = openKeys();
    expect(sandbox.control.writeSecret({ namespace: 'fresh', path, value: 'v' })).toBe(200);
    const rows = sandbox.inspect.nekRows('fresh');
    expect(rows).toHaveLength(1);
    const [row] = rows;
    const { kid: mek } = setOf(documentOf(sandbox), 'keys')[0] ?? { kid: '' };
    expect(row).toMatchObject({ status: 'CREATION_VALIDATED', encryptedByKid: mek, currentKid: row?.kid });
    const opened = await compactDecrypt(row?.encryptedKey ?? '', mekOf(sandbox, mek));
    const k = Buffer.from(opened.plaintext).toString();
    expect(await calculateJwkThumbprint({ kty: 'oct', k })).toBe(row?.kid);
    expect(opened.protectedHeader).toMatchObject({
      version: 1,
      namespace: 'fresh',
      createdAt: row?.createdAt,
      encryptedAt: row?.encryptedAt,
    });
    expect(sandbox.control.readSecret({ namespace: 'fresh', path })).toBe('v');
    expect(sandbox.control.writeSecret({ namespace: 'fresh', path, value: 'w' })).toBe(200);
    expect(sandbox.inspect.nekRows('fresh')).toHaveLength(1);
  });

  test('of a namespace whose current kid was lost get a new key; a current kid without a row cannot encrypt', () => {
    const { control, inspect } = openKeys();
    control.setCurrentKid('tenant-01', null);
    expect(control.writeSecret({ namespace: 'tenant-01', path, value: 'v' })).toBe(200);
    expect(inspect.nekRows('tenant-01')).toHaveLength(5);
    control.setCurrentKid('tenant-02', 'no-such-kid');
    expect(control.writeSecret({ namespace: 'tenant-02', path, value: 'v' })).toBe(500);
    expect(inspect.nekRows('tenant-02')).toHaveLength(4);
  });

  test('cannot be had without a quorum of Cassandra', () => {
    const { control } = openKeys();
    control.stopNode('cassandra-0');
    expect(control.writeSecret({ path, value: 'v' })).toBe(200);
    control.stopNode('cassandra-2');
    expect(control.writeSecret({ path, value: 'w' })).toBe(500);
    expect(control.readSecret({ path })).toBe(500);
  });
});

describe('which row of a key ESS uses', () => {
  const used = {
    'a good newer row': ['a good newer row', (header: object) => header, 'VALIDATED'],
    'a row without a version, whatever its header says': [
      'unchecked',
      ({ version: _, ...header }: Record<string, unknown>) => ({ ...header, namespace: 'another' }),
      'VALIDATED',
    ],
  } as const;
  const skipped = {
    'a row that waits for its promotion': [(header: object) => header, 'PENDING_REENCRYPTION'],
    'a header of another namespace': [
      (header: object) => ({ ...header, namespace: 'tenant-01' }),
      'VALIDATED',
    ],
    'a header of another time': [(header: object) => ({ ...header, encryptedAt: 1 }), 'VALIDATED'],
    'a header of another birth': [(header: object) => ({ ...header, createdAt: newer[0] }), 'VALIDATED'],
    'a header that names another master key': [
      (header: object) => ({ ...header, kid: newer[0] }),
      'VALIDATED',
    ],
  } as const;

  /** Which rows it opens, from outside: without the old row, a secret can be read only when the new one is used. */
  const readsWithoutOld = (sandbox: Sandbox, old: NekRow) => {
    sandbox.control.deleteRow(old);
    return sandbox.inspect.everySecretReadable({ afterRestart: true }).ok;
  };

  test.each(Object.entries(used))('%s is used', async (_, [, change, status]) => {
    const sandbox = openKeys();
    const made = await rewrapped(sandbox, change as never);
    insert(sandbox, made, status);
    expect(sandbox.inspect.everySecretReadable({ afterRestart: true }).ok).toBe(true);
    expect(readsWithoutOld(sandbox, made.row)).toBe(true);
  });

  test.each(Object.entries(skipped))('%s is passed over for the older row', async (_, [change, status]) => {
    const sandbox = openKeys();
    const made = await rewrapped(sandbox, change as never);
    insert(sandbox, made, status);
    expect(sandbox.inspect.everySecretReadable({ afterRestart: true }).ok).toBe(true);
    expect(readsWithoutOld(sandbox, made.row)).toBe(false);
  });

  test('garbage is passed over, too, and counted', async () => {
    const sandbox = openKeys();
    const made = await rewrapped(sandbox, (header) => header);
    insert(sandbox, { ...made, encryptedKey: 'no.jwe' });
    const flipped = made.encryptedKey.replace(/.{8}$/, 'AAAAAAAA');
    insert(sandbox, { ...made, encryptedAt: made.encryptedAt + 1, encryptedKey: flipped });
    expect(sandbox.control.writeSecret({ path, value: 'v' })).toBe(200);
    const [{ pod } = { pod: '' }] = sandbox.inspect.loaded();
    const { body } = await sandbox.services.http.request(
      { method: 'GET', url: 'http://pod/metrics', through: { namespace: 'ess', pod, port: 9464 } },
      new AbortController().signal,
    );
    for (const key of ['JWE_PARSE_ERROR', 'KEY_DECRYPTION_ERROR'])
      expect(body).toMatch(
        new RegExp(`^nek_validation_errors_total\\{ek_namespace="nvcf",.*error_key="${key}"\\} 1$`, 'm'),
      );
  });

  test.each(['a ghost', 'a null status', 'no enc', 'alg none'])(
    '%s makes ESS give up the whole key',
    async (what) => {
      const sandbox = openKeys();
      const made = await rewrapped(sandbox, (header) => header);
      const { row, encryptedAt } = made;
      const key = { namespace: 'nvcf', kid: row.kid, encryptedAt };
      const header = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const rest = made.encryptedKey.slice(made.encryptedKey.indexOf('.'));
      if (what === 'a ghost') sandbox.control.updateRow(key, { status: 'VALIDATED' });
      else if (what === 'a null status') {
        insert(sandbox, made);
        sandbox.control.updateRow(key, { status: null });
      } else {
        const bad =
          what === 'no enc' ? { alg: 'dir', kid: row.encryptedByKid } : { alg: 'none', enc: 'A256GCM' };
        insert(sandbox, { ...made, encryptedKey: `${header(bad)}${rest}` });
      }
      expect(sandbox.control.writeSecret({ path, value: 'v' })).toBe(500);
      expect(sandbox.inspect.everySecretReadable({ afterRestart: true })).toMatchObject({ ok: false });
      sandbox.control.deleteRow(key);
      expect(sandbox.control.writeSecret({ path, value: 'v' })).toBe(200);
    },
  );
});

describe('a master key that is taken away', () => {
  const without = (sandbox: Sandbox, keys: readonly unknown[]) =>
    sandbox.control.editKv({
      data: { ...documentOf(sandbox), keys: encoded(keys), current_kid: newer[0] },
    });

  test('costs every secret under it, which shows at once for a restart and later for the pods that run', async () => {
    const sandbox = openKeys();
    without(sandbox, [jwk(newer[0], 1)]);
    expect(sandbox.inspect.everySecretReadable()).toMatchObject({ ok: true });
    const lost = sandbox.inspect.everySecretReadable({ afterRestart: true });
    expect(lost.ok).toBe(false);
    expect(lost.problems).toHaveLength(lost.checked);
    await pass(sandbox, 15 * MINUTE);
    expect(sandbox.inspect.everySecretReadable().ok).toBe(false);
    expect(sandbox.control.writeSecret({ path, value: 'v' })).toBe(500);
  });

  test('costs what ESS holds in memory under it for an hour, though the rows are wrapped anew', async () => {
    const sandbox = openKeys();
    expect(sandbox.control.writeSecret({ path, value: 'v' })).toBe(200);
    expect(sandbox.control.readSecret({ path })).toBe('v');
    const old = setOf(documentOf(sandbox), 'keys');
    const fresh = jwk(newer[0], 1);
    // Everything of nvcf is wrapped again with the new key while the old one is there.
    for (const row of sandbox.inspect.nekRows('nvcf')) {
      const opened = await compactDecrypt(row.encryptedKey ?? '', mekOf(sandbox, row.encryptedByKid));
      const encryptedAt = sandbox.services.clock.now();
      const encryptedKey = await new CompactEncrypt(opened.plaintext)
        .setProtectedHeader({
          ...opened.protectedHeader,
          alg: 'dir',
          enc: 'A256GCM',
          kid: fresh.kid,
          encryptedAt,
        })
        .encrypt(Buffer.from(fresh.k, 'base64url'));
      sandbox.control.insertRows('nvcf', [
        {
          namespace: 'nvcf',
          kid: row.kid,
          encryptedAt,
          createdAt: row.createdAt ?? '',
          encryptedByKid: fresh.kid,
          encryptedKey,
          status: 'VALIDATED',
        },
      ]);
    }
    without(sandbox, [fresh, ...old]);
    await pass(sandbox, 15 * MINUTE);
    without(sandbox, [fresh]);
    await pass(sandbox, 14 * MINUTE);
    while (sandbox.inspect.loaded()[0]?.kids.length !== 1) await pass(sandbox, MINUTE / 4);
    expect(sandbox.control.readSecret({ path })).toBe(500);
    await pass(sandbox, 60 * MINUTE);
    expect(sandbox.control.readSecret({ path })).toBe('v');
  });
});
