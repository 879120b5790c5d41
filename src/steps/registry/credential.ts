import { isUtf8 } from 'node:buffer';

/** What a credential is like, and never what it is. */
interface Judged {
  /** Registry, or key of the Secret. */
  readonly name: string;
  readonly problem: string;
}

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Why a text is no base64 of user:password; empty when it is. The frequent mistake is to encode the password alone. */
export function judgeCredential(text: string): string {
  const given = text.trim();
  if (given === '') return 'it is empty';
  if (!base64.test(given) || given.length % 4 !== 0)
    return given.includes(':') ? 'it is user:password in clear, not base64 of it' : 'it is not base64';
  const bytes = Buffer.from(given, 'base64');
  const plain = isUtf8(bytes) ? bytes.toString('utf8') : '';
  const colon = plain.indexOf(':');
  if (colon < 0) return 'decoded, it has no colon: the password was encoded without its user';
  if (colon === 0) return 'decoded, it has no user before the colon';
  if (colon === plain.length - 1) return 'decoded, it has no password behind the colon';
  if (/^\s|\s$/.test(plain))
    return 'decoded, it begins or ends with white space (a line break of echo, most often)';
  return '';
}

/** Every registry of a `.dockerconfigjson`. */
export function judgePullSecret(json: string): Judged[] {
  const auths = registriesOf(json);
  if (auths === undefined) return [{ name: '.dockerconfigjson', problem: 'it is not JSON with auths' }];
  const registries = Object.entries(auths);
  if (registries.length === 0) return [{ name: '.dockerconfigjson', problem: 'it names no registry' }];
  return registries.map(([name, entry]) => ({ name, problem: entryProblem(entry) }));
}

function entryProblem(entry: unknown): string {
  const { auth, username, password } = (typeof entry === 'object' && entry !== null ? entry : {}) as Readonly<
    Record<string, unknown>
  >;
  if (typeof auth !== 'string' || auth === '')
    return typeof username === 'string' && typeof password === 'string' && username !== '' && password !== ''
      ? ''
      : 'it has neither auth nor username and password';
  const problem = judgeCredential(auth);
  if (problem !== '') return `auth: ${problem}`;
  const plain = Buffer.from(auth, 'base64').toString('utf8');
  const differs =
    (typeof username === 'string' && !plain.startsWith(`${username}:`)) ||
    (typeof password === 'string' && !plain.endsWith(`:${password}`));
  return differs ? 'auth is not that of username and password beside it' : '';
}

function registriesOf(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const { auths } = JSON.parse(json) as { readonly auths?: unknown };
    return typeof auths === 'object' && auths !== null && !Array.isArray(auths)
      ? (auths as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
