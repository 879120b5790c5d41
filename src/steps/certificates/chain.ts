import { X509Certificate } from 'node:crypto';
import type { CertificatesCheckOutputs } from '../../generated/types.ts';

type Verdict = Omit<CertificatesCheckOutputs['certificates'][number], 'namespace' | 'secret'>;

const day = 86_400_000;
const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

const nothing = {
  subject: '',
  issuer: '',
  names: [],
  serial: '',
  notBefore: '',
  notAfter: '',
  days: 0,
  chain: 0,
};

/** What the certificates of a `tls.crt` say: the first one is the server's, and the whole is valid no longer than each of them. */
export function judge(pem: string, given: { readonly now: number; readonly minDays: number }): Verdict {
  const parts = pem.match(block) ?? [];
  const certificates = parts.map(parse);
  const [leaf] = certificates;
  if (leaf === undefined)
    return malformed(pem.trim() === '' ? 'tls.crt is empty' : 'tls.crt holds no certificate');
  const broken = certificates.indexOf(undefined);
  if (broken >= 0)
    return malformed(`certificate ${broken + 1} of ${certificates.length} in tls.crt cannot be read`);
  const all = certificates.filter((certificate) => certificate !== undefined);
  const ends = all.map(({ validTo }) => Date.parse(validTo));
  const begins = all.map(({ validFrom }) => Date.parse(validFrom));
  const end = Math.min(...ends);
  const begin = Math.max(...begins);
  const days = Math.floor((end - given.now) / day);
  const which = ends.indexOf(end) === 0 ? '' : ` (certificate ${ends.indexOf(end) + 1} of the chain)`;
  const seen = {
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    names: namesOf(leaf),
    serial: leaf.serialNumber,
    notBefore: new Date(begin).toISOString(),
    notAfter: new Date(end).toISOString(),
    days,
    chain: all.length,
  };
  if (end <= given.now) return { ...seen, state: 'expired', problem: `it expired on ${date(end)}${which}` };
  if (begin > given.now)
    return { ...seen, state: 'not-yet-valid', problem: `it is valid only from ${date(begin)} on` };
  if (days < given.minDays)
    return {
      ...seen,
      state: 'expiring',
      problem: `it expires on ${date(end)}, in ${days} ${days === 1 ? 'day' : 'days'}${which}`,
    };
  return { ...seen, state: 'valid', problem: '' };
}

// The parser's own words may quote what it was given, and that may be a key that lies in the wrong place.
function malformed(problem: string): Verdict {
  return { ...nothing, state: 'malformed', problem };
}

function parse(pem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem);
    const dated = [certificate.validFrom, certificate.validTo].every(
      (text) => !Number.isNaN(Date.parse(text)),
    );
    return dated ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}

function namesOf({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? '')
    .split(', ')
    .flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
}

function date(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
