import type { HttpResponse } from './http.ts';
import { OpenBaoError } from './openbao.ts';

/** What was asked, as far as an error may tell and must not tell. */
export interface Asked {
  /** Path and query: '/v1/sys/step-down'. */
  readonly path: string;
  readonly write: boolean;
  /** JSON; nothing of it may appear in an error. */
  readonly body?: Uint8Array;
}

type Body = Readonly<Record<string, unknown>>;

/** The answer as a JSON object; throws `OpenBaoError` when it is something else. */
export function parseAnswer(place: string, answer: HttpResponse): Body {
  const body = parseJson(answer.body);
  if (body !== undefined) return body;
  throw new OpenBaoError(
    `${place} answered with something else than JSON (status ${answer.status}). — Is it OpenBao?`,
    {
      status: answer.status,
      outcome: 'not-applied',
      retryable: false,
    },
  );
}

/** A JSON object, or undefined. */
export function parseJson(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}

// Said by a node that could not even pass the request on.
const noLeader = /local node not active but active cluster node not found/u;
const sealedText = /sealed/iu;

/** An answer that is no success, as an error with place, cause and next step. */
export function refusal(place: string, answer: HttpResponse, asked: Asked): OpenBaoError {
  const { status } = answer;
  const errors = parseJson(answer.body)?.errors;
  const raw = Array.isArray(errors) ? errors.map(String).join('; ').replace(/\s+/gu, ' ').trim() : '';
  const said = echoes(raw, asked.body) ? '(its text is withheld: it repeats what was sent)' : shorten(raw);
  const casMismatch = status === 400 && /^check-and-set parameter did not match/u.test(raw);
  const casRequired = status === 400 && /^check-and-set parameter required/u.test(raw);
  const untouched = (status === 503 && sealedText.test(raw)) || noLeader.test(raw);
  const what = asked.path.replace('/v1/', '');
  return new OpenBaoError(
    `${place} refused ${asked.path}: ${status}${said === '' ? '' : ` ${said}`}${nextStep(status, { what, casMismatch })}`,
    {
      status,
      outcome: asked.write && status >= 500 && !untouched ? 'unknown' : 'not-applied',
      retryable: status === 307 || status === 429 || status >= 500,
      casMismatch,
      casRequired,
    },
  );
}

function nextStep(status: number, { what, casMismatch }: { what: string; casMismatch: boolean }): string {
  if (status === 403) return ` — The token is expired or its policy lacks ${what}.`;
  if (status === 307) return ' — It is not the active node and sends the request there: ask the active one.';
  if (casMismatch) return ' — The newest version is another one than expected: read it again.';
  return '';
}

function shorten(text: string): string {
  return text.slice(0, 300).trim();
}

const window = 8;

/** Does a text repeat a value of a request, whole or in part? */
function echoes(text: string, body: Uint8Array | undefined): boolean {
  if (body === undefined) return false;
  const leaves = leavesOf(parseJson(Buffer.from(body).toString('utf8')));
  if (leaves.some((leaf) => leaf.length >= window / 2 && leaf.length < window && text.includes(leaf)))
    return true;
  const long = leaves.filter((leaf) => leaf.length >= window);
  for (let at = 0; at + window <= text.length; at += 1) {
    const part = text.slice(at, at + window);
    if (long.some((leaf) => leaf.includes(part))) return true;
  }
  return false;
}

function leavesOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(leavesOf);
}
