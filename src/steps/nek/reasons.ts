import type { AnomalyReason } from '../../keys/nek-census.ts';

/** What each reason says about a row or a key. */
const sentences: Readonly<Record<AnomalyReason | 'mek-exhausted' | 'not-the-same-key', string>> = {
  'jwe-parts': 'its encrypted_key is no JWE',
  'jwe-size': 'its encrypted_key is too long for a namespace key',
  base64url: 'its encrypted_key is not canonical base64url',
  'iv-length': 'the IV of its JWE has another length than 12 bytes',
  'tag-length': 'the tag of its JWE has another length than 16 bytes',
  'key-part': 'its JWE carries an encrypted key where none belongs',
  header: 'the header of its JWE cannot be read',
  'header-member': 'the header of its JWE has a member that does not belong there',
  alg: 'its JWE is not made with alg dir',
  'alg-none': 'its JWE names no alg',
  enc: 'its JWE is not made with enc A256GCM',
  'enc-missing': 'its JWE names no enc',
  'kid-missing': 'its JWE names no master key',
  version: 'its JWE has another format version than 1',
  binding: 'the header of its JWE does not say which row it belongs to',
  'mek-missing': 'it is wrapped by a master key that is not in the document',
  decrypt: 'it does not open with its master key',
  plaintext: 'what it holds is no key of 32 bytes',
  'status-missing': 'it has no status',
  'status-unknown': 'it has a status that ESS does not know',
  'column-missing': 'a column of it is empty',
  namespace: 'its JWE was made for another namespace',
  'created-at': 'its JWE was made for another created_at',
  'encrypted-at': 'its JWE was made for another encrypted_at',
  'encrypted-by-kid': 'its JWE names another master key than encrypted_by_kid',
  thumbprint: 'it holds another key than its kid says',
  unbound: 'its JWE is not bound to the row, and its key is not the one of its kid',
  'no-usable-row': 'no row of this key can be used',
  'mixed-rows': 'rows of different keys were mixed up',
  'encrypted-at-ahead': 'its encrypted_at is far in the future',
  'current-kid-unusable': 'the namespace names a current key that cannot be used',
  'mek-exhausted': 'the master key may wrap nothing more',
  'not-the-same-key': 'wrapped anew, it would be another key',
};

/** 'it does not open with its master key (decrypt)'; a reason that has no sentence stands for itself. */
export function sayReason(reason: string): string {
  const sentence = Object.hasOwn(sentences, reason) ? sentences[reason as keyof typeof sentences] : undefined;
  return sentence === undefined ? reason : `${sentence} (${reason})`;
}
