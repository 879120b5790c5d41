import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { log } from './server.ts';

const address = process.env.BAO_ADDR ?? 'http://openbao-server-active.vault-system.svc.cluster.local:8200';
const accountToken = '/var/run/secrets/openbao/token';

/** Reads key-value documents with a login of its own, as the service's agent does. */
export class OpenBaoReader {
  private token = '';
  private readonly role: string;

  constructor(role: string) {
    this.role = role;
  }

  /** The fields of a document; undefined when there is none. Anything else rejects. */
  async read(mount: string, path: string): Promise<Record<string, string> | undefined> {
    if (this.token === '') await this.logIn();
    const response = await call('GET', `${mount}/data/${path}`, this.token);
    if (response.status === 404) return undefined;
    if (response.status === 403) this.token = '';
    if (!response.ok) throw new Error(`OpenBao answered ${response.status} to a read of ${mount}/${path}`);
    const { data } = (await response.json()) as { data: { data: Record<string, string> } };
    return data.data;
  }

  /** A document without which the service does not start. */
  async await(mount: string, path: string): Promise<Record<string, string>> {
    for (let tries = 0; ; tries += 1) {
      try {
        const fields = await this.read(mount, path);
        if (fields !== undefined) return fields;
      } catch (error) {
        if (tries % 20 === 0) log('WARN', `waiting for ${mount}/${path}: ${messageOf(error)}`);
      }
      await pause(300);
    }
  }

  private async logIn(): Promise<void> {
    const body = { role: this.role, jwt: readFileSync(accountToken, 'utf8') };
    const response = await call('POST', 'auth/jwt/login', undefined, body);
    if (!response.ok) throw new Error(`OpenBao answered ${response.status} to the login as ${this.role}`);
    const { auth } = (await response.json()) as { auth: { client_token: string } };
    this.token = auth.client_token;
  }
}

/** The first line of the message of whatever was thrown, with the reason that `fetch` hides. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message.split('\n')[0]}${cause}`;
}

/** One call of OpenBao's API; the caller looks at the status. */
export function call(method: string, path: string, token?: string, body?: object): Promise<Response> {
  return fetch(`${address}/v1/${path}`, {
    method,
    // The address of a pod that is gone swallows packets.
    signal: AbortSignal.timeout(3_000),
    ...(token === undefined ? {} : { headers: { 'x-vault-token': token } }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
