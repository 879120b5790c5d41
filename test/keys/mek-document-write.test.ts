import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { MekDocument } from '../../src/keys/mek-document.ts';
import { mekSummary, secretsOf, serializeMekDocument } from '../../src/keys/mek-document.ts';
import { bytesOf, decodeFields, documentOf, encodeSet, fieldsOf, jwk, kids } from './made.ts';

const stock = fieldsOf([kids.second, kids.first]);

function good(kid: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...jwk(kid, bytesOf(`keys ${kid}`)), ...over };
}

describe('a document', () => {
  const odd = {
    zebra: { note: ['kept', 1, null] },
    ...stock,
    keys: Buffer.from(
      JSON.stringify({ issuer: 'x', keys: [good(kids.second, { key_ops: ['encrypt'] }), good(kids.first)] }),
    ).toString('base64'),
    jwe_mapping: `{"other":true,"payload_jwe_kid":"${kids.second}"}`,
  };

  test('is written as it was read, unknown fields and members included', () => {
    const written = serializeMekDocument(documentOf(odd));
    const { fields, keys, privateJwks } = decodeFields(written);
    expect(Object.keys(fields).sort()).toEqual(Object.keys(odd).sort());
    expect(fields.zebra).toEqual(odd.zebra);
    expect(JSON.parse(String(fields.jwe_mapping))).toEqual(JSON.parse(odd.jwe_mapping));
    expect(JSON.parse(Buffer.from(String(fields.keys), 'base64').toString())).toHaveProperty('issuer', 'x');
    expect(keys).toEqual([good(kids.second, { key_ops: ['encrypt'] }), good(kids.first)]);
    expect(privateJwks.map(({ k }) => k)).toEqual(
      [kids.second, kids.first].map((kid) => bytesOf(`private ${kid}`).toString('base64url')),
    );
    expect(
      Buffer.from(serializeMekDocument(documentOf(JSON.parse(Buffer.from(written).toString())))),
    ).toEqual(Buffer.from(written));
  });

  test('shows kids and hashes, never a key', () => {
    const document: MekDocument = documentOf(odd);
    const shown = [
      inspect(document, { depth: 9, showHidden: true }),
      JSON.stringify(document),
      String(document),
      JSON.stringify(mekSummary(document)),
    ].join('\n');
    for (const kid of [kids.first, kids.second])
      for (const label of [`keys ${kid}`, `private ${kid}`]) {
        const secret = bytesOf(label);
        for (const form of [secret.toString('base64url'), secret.toString('hex'), secret.toString('base64')])
          expect(shown).not.toContain(form.slice(0, 16));
      }
    expect(shown).toContain(kids.first);
  });

  test('sums itself up', () => {
    const same = {
      ...stock,
      private_jwks: encodeSet([good(kids.second), jwk(kids.first, bytesOf('other'))]),
    };
    const hash12 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    expect(mekSummary(documentOf(same))).toEqual({
      currentKid: kids.second,
      keys: [kids.second, kids.first].map((kid) => ({ kid, hash12: hash12(bytesOf(`keys ${kid}`)) })),
      privateJwks: [
        { kid: kids.second, hash12: hash12(bytesOf(`keys ${kids.second}`)) },
        { kid: kids.first, hash12: hash12(bytesOf('other')) },
      ],
      differing: [kids.first],
    });
  });

  test('gives every key text for redaction', () => {
    expect(secretsOf(documentOf(stock)).map((text) => Buffer.from(text).toString())).toEqual(
      ['keys', 'private'].flatMap((set) =>
        [kids.second, kids.first].map((kid) => bytesOf(`${set} ${kid}`).toString('base64url')),
      ),
    );
  });
});
