import { HelmError, type HelmReason } from './helm.ts';

/** What a call wanted, for messages: 'upgrade release nvcf/api'. */
export interface HelmPlace {
  readonly what: string;
  /** A change that is no dry run. */
  readonly write: boolean;
  /** It talks to a chart registry, not to the cluster. */
  readonly registry?: boolean;
  /** Texts that must not be quoted: the values at hand. */
  readonly hidden?: readonly string[];
}

interface Rule {
  readonly pattern: RegExp;
  readonly reason: HelmReason;
  readonly retryable?: boolean;
  /** Helm refuses it before it touches anything. */
  readonly before?: boolean;
  readonly hint: string;
}

/** By what Helm 3 prints, the most specific first; its only failing exit code is 1. */
const clusterRules: readonly Rule[] = [
  {
    pattern: /another operation .* is in progress|sh\.helm\.release\S* already exists/u,
    reason: 'pending',
    before: true,
    hint: 'See helm.history: who works on it? If its client is dead, roll back to the last deployed revision.',
  },
  {
    pattern: /release: not found|has no deployed releases|release has no \d+ version/u,
    reason: 'release-missing',
    before: true,
    hint: 'Check the release and its namespace with helm.list; revisions beyond the last ten are pruned.',
  },
  {
    pattern: /values don't meet the specifications of the schema/u,
    reason: 'values',
    before: true,
    hint: "Compare the values with the chart's values.schema.json.",
  },
  {
    pattern: /failed to parse .*values|error (?:converting|parsing) YAML|cannot unmarshal .* map\[string\]/u,
    reason: 'values',
    before: true,
    hint: 'Check that the values file is a YAML map.',
  },
  {
    pattern: /Kubernetes cluster unreachable|connection refused|connection reset|no such host|i\/o timeout/u,
    reason: 'unreachable',
    retryable: true,
    hint: 'Check that the API server runs and that this machine reaches it (VPN, proxy, context).',
  },
  {
    pattern: /the server has asked for the client to provide credentials|Unauthorized/u,
    reason: 'forbidden',
    hint: 'Log in again (the credentials of this context are missing, expired or revoked), then resume.',
  },
  {
    pattern: /is forbidden: User/u,
    reason: 'forbidden',
    hint: 'Helm needs the Secrets of the namespace and everything that the chart holds; `runbook plan --access` prints a Role.',
  },
];

/** The same for fetching a chart. */
const registryRules: readonly Rule[] = [
  {
    pattern: /\b401\b|\b403\b|unauthorized|denied|insufficient_scope/iu,
    reason: 'forbidden',
    hint: 'Log in to the registry (helm registry login), then run again.',
  },
  {
    pattern: /not found|manifest unknown|\b404\b|no such file/iu,
    reason: 'chart-missing',
    hint: 'Check the chart reference and the version; see which versions the registry has.',
  },
  {
    pattern:
      /connection refused|connection reset|no such host|i\/o timeout|TLS handshake|EOF|network is unreachable/u,
    reason: 'unreachable',
    retryable: true,
    hint: 'Check that this machine reaches the registry (VPN, proxy), then run again.',
  },
];

/** The error for a client that failed. `ended`: how, when it said nothing. */
export function helmFailure(place: HelmPlace, stderr: string, ended: string): HelmError {
  const raw = lastError(stderr);
  const rule = (place.registry === true ? registryRules : clusterRules).find(({ pattern }) =>
    pattern.test(raw),
  );
  const said = sayHelm(raw, place.hidden);
  return new HelmError(`Cannot ${place.what}: ${said === '' ? ended : said}`, {
    reason: rule?.reason ?? 'failed',
    outcome: place.write && rule?.before !== true ? 'unknown' : 'not-applied',
    retryable: rule?.retryable ?? false,
    hint: rule?.hint,
  });
}

/** Warnings come first; the error is what follows the last 'Error:'. */
function lastError(stderr: string): string {
  const at = stderr.lastIndexOf('Error: ');
  return (at === -1 ? stderr : stderr.slice(at + 'Error: '.length)).trim();
}

const longest = 600;

/**
 * Helm's words without what they may quote: the API server repeats whole objects after 'Invalid value', schema validation repeats
 * values, and templates fail with whatever their author put together.
 */
export function sayHelm(text: string, hidden: readonly string[] = []): string {
  let said = text
    .replace(/^(?:UPGRADE|INSTALLATION|ROLLBACK) FAILED: /u, '')
    .replace(/Invalid value: "(?:[^"\\]|\\.)*"?/gsu, 'Invalid value: «hidden»')
    .replace(/Invalid value: (?:-?[\d.]+|true|false|null)(?=:)/gu, 'Invalid value: «hidden»')
    .replace(/Invalid value: (?!«).*/gu, 'Invalid value: «hidden»')
    .replace(/'(?:[^'\\]|\\.)*' (?=does not match|is not valid|is not a)/gu, '«hidden» ')
    .replace(/\b(?:value must be|got) (?:one of )?'[^\n]*/gu, 'value must be another one')
    .replace(/"(?:[^"\\]|\\.)*(?:"|$)/gsu, (quoted) => (quoted.length > 80 ? '«hidden»' : quoted));
  for (const value of hidden) said = said.replaceAll(value, '«hidden»');
  said = said.replace(/\s+/gu, ' ').trim();
  return said.length <= longest ? said : `${said.slice(0, longest)}…`;
}

/** Texts inside values that a message must not quote, with their base64 form, the longest first. */
export function hiddenTexts(values: unknown, kept: readonly string[] = []): readonly string[] {
  const texts = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value === 'string' && value.length >= 4 && !kept.includes(value)) {
      texts.add(value);
      texts.add(Buffer.from(value).toString('base64'));
    } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(values);
  return [...texts].sort((one, other) => other.length - one.length);
}
