import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { parseMekDocument } from '../src/keys/mek-document.ts';
import { planRewrap } from '../src/keys/nek-rewrap.ts';
import type { StoredNek } from '../src/keys/nek-row.ts';

const oldKid = '04afc000-833b-11ee-9234-0300000000ab';
const newKid = '57130001-49fa-11f0-9234-0300000000ab';
const createdAt = 'c232ab00-9414-11ec-9234-0300000000ab';
const encryptedAt = 1751000000000;

/**
 * Rows a second (of processor time) that are opened, checked, wrapped under another key, opened again and compared: by
 * `planRewrap`, and by node:crypto with nothing around it. Medians of interleaved rounds over the same rows.
 */
export function rewrapRates(count: number, rounds = 7): { readonly ours: number; readonly bare: number } {
  const meks = new Map([oldKid, newKid].map((kid) => [kid, randomBytes(32)]));
  const document = documentOf(meks);
  const rows = Array.from({ length: count }, (_, index) => bareRow(meks, `namespace-${index}`));
  const how = { document, kid: newKid, now: encryptedAt + 86_400_000 };
  const ours = () => {
    for (const row of rows)
      if (planRewrap([row], how).action !== 'rewrap') throw new Error('a row was not re-wrapped');
  };
  const bare = () => {
    for (const row of rows) bareRewrap(row, meks, how.now);
  };
  const taken: [number[], number[]] = [[], []];
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const times = [time(ours), time(bare)] as const;
    if (round === 0) continue;
    taken[0].push(times[0]);
    taken[1].push(times[1]);
  }
  return { ours: count / median(taken[0]), bare: count / median(taken[1]) };
}

/** Seconds of processor time: other work on the machine does not count. */
function time(work: () => void): number {
  const begun = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1e6;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function documentOf(meks: ReadonlyMap<string, Buffer>) {
  const jwks = [...meks].map(([kid, key]) => ({
    kty: 'oct',
    kid,
    k: key.toString('base64url'),
    alg: 'A256GCM',
  }));
  const set = Buffer.from(JSON.stringify({ keys: jwks })).toString('base64');
  const read = parseMekDocument(
    Buffer.from(
      JSON.stringify({
        keys: set,
        private_jwks: set,
        current_kid: oldKid,
        jwe_mapping: JSON.stringify({ payload_jwe_kid: oldKid }),
      }),
    ),
  );
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.document;
}

function thumbprint(text: Buffer): string {
  return createHash('sha256')
    .update(`{"k":"${text.toString('latin1')}","kty":"oct"}`)
    .digest('base64url');
}

function bareWrap(text: Buffer, header: object, mek: Buffer): string {
  const head = Buffer.from(JSON.stringify(header)).toString('base64url');
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', mek, iv, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(head));
  const content = Buffer.concat([cipher.update(text), cipher.final()]);
  return `${head}..${iv.toString('base64url')}.${content.toString('base64url')}.${cipher.getAuthTag().toString('base64url')}`;
}

function bareUnwrap(row: StoredNek, meks: ReadonlyMap<string, Buffer>): Buffer {
  const [head = '', , iv = '', content = '', tag = ''] = (row.encryptedKey ?? '').split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
  const mek = meks.get(String(header.kid)) ?? randomBytes(32);
  const decipher = createDecipheriv('aes-256-gcm', mek, Buffer.from(iv, 'base64url'), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(head));
  decipher.setAuthTag(Buffer.from(tag, 'base64url'));
  const text = Buffer.concat([decipher.update(Buffer.from(content, 'base64url')), decipher.final()]);
  if (
    header.namespace !== row.namespace ||
    header.createdAt !== row.createdAt ||
    header.encryptedAt !== row.encryptedAt ||
    header.kid !== row.encryptedByKid ||
    thumbprint(text) !== row.kid
  )
    throw new Error('a row does not fit its JWE');
  return text;
}

function bareRewrap(row: StoredNek, meks: ReadonlyMap<string, Buffer>, now: number): StoredNek {
  const text = bareUnwrap(row, meks);
  const fresh = sealedRow({ ...row, encryptedAt: now, encryptedByKid: newKid }, text, meks);
  if (!timingSafeEqual(text, bareUnwrap(fresh, meks))) throw new Error('a row came out with another key');
  return fresh;
}

function bareRow(meks: ReadonlyMap<string, Buffer>, namespace: string): StoredNek {
  const text = Buffer.from(randomBytes(32).toString('base64url'));
  const kid = thumbprint(text);
  const status = 'VALIDATED';
  const row = { namespace, kid, encryptedAt, createdAt, encryptedByKid: oldKid, status, currentKid: kid };
  return sealedRow({ ...row, encryptedKey: null }, text, meks);
}

function sealedRow(row: StoredNek, text: Buffer, meks: ReadonlyMap<string, Buffer>): StoredNek {
  const kid = row.encryptedByKid ?? '';
  const header = {
    alg: 'dir',
    enc: 'A256GCM',
    kid,
    version: 1,
    namespace: row.namespace,
    createdAt: row.createdAt,
    encryptedAt: row.encryptedAt,
  };
  return { ...row, encryptedKey: bareWrap(text, header, meks.get(kid) ?? randomBytes(32)) };
}
