import { Secret } from '../../src/engine/secret.ts';
import type { HttpResponse } from '../../src/services/http.ts';
import type { OpenBaoPod } from '../../src/services/openbao.ts';
import type { OpenBaoKvWorld } from './openbao-kv.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Raw requests with the root token to the active pod: what our own service has no method for, and needs none. */
export function openbaoAdmin(
  world: Pick<OpenBaoKvWorld, 'openbao' | 'http' | 'target' | 'pods' | 'token' | 'pause'>,
) {
  const signal = new AbortController().signal;
  const active = async (): Promise<OpenBaoPod> => {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      for (const pod of await world.pods()) {
        const node = await world.openbao.node(pod, signal).catch(() => undefined);
        if (node?.active === true) return pod;
      }
      await world.pause();
    }
    throw new Error('no pod is active');
  };
  const ask = async (method: Method, path: string, body?: object): Promise<HttpResponse> => {
    const { url, through } = world.target(await active());
    const request = {
      url: `${url}/v1/${path}`,
      headers: { 'x-vault-token': world.token },
      ...(through === undefined ? {} : { through }),
    };
    if (method === 'GET') return await world.http.request({ ...request, method }, signal);
    const content = body === undefined ? {} : { body: Secret.fromText('body', JSON.stringify(body)) };
    return await world.http.send({ ...request, method, ...content }, signal);
  };
  const change = async (method: Method, path: string, body?: object): Promise<HttpResponse> => {
    const answer = await ask(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer;
  };
  return {
    active,
    ask,
    /** Throws when it is refused. */
    change,
    /** An empty key-value engine, whatever an earlier run has left. */
    remount: async (path: string, version: '1' | '2') => {
      await change('DELETE', `sys/mounts/${path}`);
      await change('POST', `sys/mounts/${path}`, { type: 'kv', options: { version } });
      // A new engine of version 2 is upgrading for a moment.
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const probe = await ask('GET', version === '2' ? `${path}/metadata/probe` : `${path}/probe`);
        if (probe.status === 404) return;
        await world.pause();
      }
    },
    /** A token with this policy, good for `ttl`. */
    token: async (
      name: string,
      given: { readonly policy: string; readonly ttl: string },
    ): Promise<Secret> => {
      await change('PUT', `sys/policies/acl/${name}`, { policy: given.policy });
      const answer = await change('POST', 'auth/token/create', { policies: [name], ttl: given.ttl });
      const { auth } = JSON.parse(answer.body) as { auth: { client_token: string } };
      return Secret.fromText('token', auth.client_token);
    },
  };
}
