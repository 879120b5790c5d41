import { OpenBaoError } from './openbao.ts';

/**
 * '/v1/services/all/kv/data/encryption/keys' from its parts, every segment encoded. Throws `OpenBaoError` for a part that would
 * lead elsewhere: an empty segment, '.', '..', or a control character.
 */
export function pathOf(place: string, parts: readonly string[]): string {
  const segments = parts.flatMap((part) => part.split('/'));
  const wrong = segments.find((segment) => !isSegment(segment));
  if (wrong === undefined) return `/v1/${segments.map(encodeURIComponent).join('/')}`;
  throw new OpenBaoError(
    `Cannot ask ${place}: ${JSON.stringify(parts.join('/'))} is no path. — Write it without a leading, trailing or double slash, '.' and '..'.`,
    { outcome: 'not-applied', retryable: false },
  );
}

function isSegment(segment: string): boolean {
  return segment !== '' && segment !== '.' && segment !== '..' && !/\p{Cc}|\p{Cs}/u.test(segment);
}
