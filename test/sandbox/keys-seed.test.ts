import { calculateJwkThumbprint, compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import { openSandbox } from '../../src/sandbox/open.ts';
import { documentOf, openKeys, setOf } from './keys-rig.ts';

const DAY = 86_400_000;

/** RFC 9562 §5.1, read apart from the code under test. */
function timeOf(uuid: string): number {
  const [low, mid, high = ''] = uuid.split('-');
  expect(high.charAt(0)).toBe('1');
  const intervals = BigInt(`0x${high.slice(1)}${mid}${low}`);
  return Number(intervals / 10_000n) - 12_219_292_800_000;
}

describe('the seeded MEK document', () => {
  const sandbox = openKeys();
  const data = documentOf(sandbox);
  const [own] = setOf(data, 'keys');
  const [other] = setOf(data, 'private_jwks');

  test('has one kid in both sets, over different bytes', () => {
    expect(Object.keys(data).sort()).toEqual(['current_kid', 'jwe_mapping', 'keys', 'private_jwks']);
    expect(setOf(data, 'keys')).toHaveLength(1);
    expect(setOf(data, 'private_jwks')).toHaveLength(1);
    expect(own).toEqual({ kty: 'oct', use: 'enc', alg: 'A256GCM', kid: data.current_kid, k: own?.k });
    expect(other?.kid).toBe(own?.kid);
    expect(other?.k).not.toBe(own?.k);
    for (const jwk of [own, other]) {
      expect(jwk?.k).toMatch(/^[\w-]{43}$/);
      expect(Buffer.from(jwk?.k ?? '', 'base64url')).toHaveLength(32);
    }
    expect(JSON.parse(String(data.jwe_mapping))).toEqual({ payload_jwe_kid: own?.kid });
  });

  test('is a hundred days old, and its kid says so', () => {
    expect(own?.kid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // The multicast bit: no network card.
    expect(Number.parseInt(own?.kid.slice(24, 26) ?? '0', 16) & 1).toBe(1);
    expect((sandbox.services.clock.now() - timeOf(own?.kid ?? '')) / DAY).toBeCloseTo(100, 3);
  });

  test('follows from the seed', () => {
    expect(documentOf(openKeys())).toEqual(data);
    expect(documentOf(openKeys({ seed: 6 }))).not.toEqual(data);
  });
});

describe('the seeded namespace keys', () => {
  test('are fifty in each of forty namespaces, nvcf among them', () => {
    const { inspect } = openSandbox({ seed: 5 });
    expect(inspect.namespaces()).toHaveLength(40);
    expect(inspect.namespaces()).toContain('nvcf');
    const rows = inspect.nekRows();
    expect(rows).toHaveLength(2_000);
    expect(new Set(rows.map(({ kid }) => kid)).size).toBe(2_000);
  });

  test('are what ESS writes: another library opens them, and every header names its row', async () => {
    const sandbox = openKeys();
    const [own] = setOf(documentOf(sandbox), 'keys');
    const mek = Buffer.from(own?.k ?? '', 'base64url');
    const rows = sandbox.inspect.nekRows();
    expect(rows).toHaveLength(12);
    for (const row of rows) {
      const { plaintext, protectedHeader } = await compactDecrypt(row.encryptedKey ?? '', mek);
      const k = Buffer.from(plaintext).toString('utf8');
      expect(k).toMatch(/^[\w-]{43}$/);
      expect(await calculateJwkThumbprint({ kty: 'oct', k })).toBe(row.kid);
      expect(protectedHeader).toEqual({
        alg: 'dir',
        enc: 'A256GCM',
        kid: own?.kid,
        version: 1,
        namespace: row.namespace,
        createdAt: row.createdAt,
        encryptedAt: row.encryptedAt,
      });
      expect(row.encryptedByKid).toBe(own?.kid);
      expect(timeOf(row.createdAt ?? '')).toBe(row.encryptedAt);
      expect(row.encryptedAt).toBeGreaterThan(timeOf(own?.kid ?? ''));
      expect(row.encryptedAt).toBeLessThan(sandbox.services.clock.now());
    }
  });

  test('the newest of a namespace is its current one, the oldest was its first', () => {
    const { inspect } = openKeys();
    for (const namespace of inspect.namespaces()) {
      const rows = [...inspect.nekRows(namespace)].sort((a, b) => a.encryptedAt - b.encryptedAt);
      expect(rows.map(({ status }) => status)).toEqual([
        'CREATION_VALIDATED',
        'VALIDATED',
        'VALIDATED',
        'VALIDATED',
      ]);
      expect(new Set(rows.map(({ currentKid }) => currentKid))).toEqual(new Set([rows.at(-1)?.kid]));
    }
  });

  test('follow from the seed, in whatever order they are looked at', () => {
    const [first, second] = [openKeys(), openKeys()];
    const names = first.inspect.namespaces();
    const backwards = [...names].reverse().map((name) => second.inspect.nekRows(name));
    expect(names.map((name) => first.inspect.nekRows(name))).toEqual(backwards.reverse());
    expect(openKeys({ seed: 6 }).inspect.nekRows()).not.toEqual(first.inspect.nekRows());
  });

  test('hold two secrets each under the newest, all of which can be read; so are the API keys valid', () => {
    const { inspect } = openKeys();
    for (const afterRestart of [false, true]) {
      expect(inspect.everySecretReadable({ afterRestart })).toEqual({ ok: true, checked: 6, problems: [] });
      const keys = inspect.everyApiKeyValid({ afterRestart });
      expect(keys).toMatchObject({ ok: true, problems: [] });
      expect(keys.checked).toBeGreaterThan(20);
    }
  });
});
