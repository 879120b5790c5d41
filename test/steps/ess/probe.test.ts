import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { EssProbeWith } from '../../../src/generated/types.ts';
import type { HttpRequest, HttpResponse, HttpSend, HttpSender } from '../../../src/services/http.ts';
import { HttpError } from '../../../src/services/http.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { probe } from '../../../src/steps/ess/probe.ts';
import { captured, nekRig, place } from '../../fakes/nek-rig.ts';
import { expectTold } from '../../fakes/pods-refused.ts';
import { putPod } from '../../fakes/rollout-objects.ts';

const { namespace, selector, token } = place.openbao;
const ess = { namespace: 'ess', selector: 'app=ess' };
const input = { openbao: { namespace, selector, token }, ess };
const bearer = Secret.fromText('bearer', 'canary-bearer') as unknown as string;
const withBearer = { ess, bearer };
const undo = probe.undo as Extract<typeof probe.undo, (...parameters: never) => unknown>;

type Fault = 'down' | 'lost' | 'denied' | 'broken' | 'forgets' | 'changes' | 'keeps';

/** Pods of ESS over one table of secrets, each with a fault of its own. */
class FakeEss implements HttpSender {
  readonly secrets = new Map<string, string>();
  readonly calls: string[] = [];
  readonly headers: Readonly<Record<string, string | Secret>>[] = [];
  readonly faults = new Map<string, Fault>();

  async request(request: HttpRequest): Promise<HttpResponse> {
    return this.#answer(request, 'GET');
  }

  async send({ body, ...request }: HttpSend): Promise<HttpResponse> {
    return this.#answer(request, request.method, body);
  }

  #answer(request: Omit<HttpRequest, 'method'>, method: string, body?: Secret): HttpResponse {
    const { through, url, headers = {} } = request;
    const pod = through?.pod ?? '';
    this.calls.push(`${method} ${pod}`);
    this.headers.push(headers);
    const fault = this.faults.get(pod);
    const at = `${String(headers['X-ESS-NAMESPACE'])} ${new URL(url).pathname}`;
    const reply = (status: number, text = '{}') => ({ status, headers: {}, body: text });
    if (fault === 'down') throw new HttpError(`${pod}: connection refused`, { sent: false });
    if (fault === 'denied') return reply(403);
    if (fault === 'broken') return reply(500, 'Master key does not exist corresponding to KeyId');
    if (method === 'PUT') {
      const sent = body?.revealText((text) => text) ?? '';
      if (fault !== 'forgets')
        this.secrets.set(at, fault === 'changes' ? sent.replace(/.{3}"\}/, 'x"}') : sent);
      if (fault === 'lost') throw new HttpError(`${pod}: the connection broke`);
      return reply(200);
    }
    if (method === 'DELETE') {
      const known = this.secrets.has(at);
      if (fault !== 'keeps') this.secrets.delete(at);
      return reply(known ? 204 : 404);
    }
    const found = this.secrets.get(at);
    return found === undefined ? reply(404) : reply(200, found);
  }
}

function rig(pods: readonly string[] = ['ess-0', 'ess-1']) {
  const http = new FakeEss();
  const made = nekRig(undefined, { http });
  for (const name of pods)
    putPod(made.cluster, { name, namespace: 'ess', uid: name, labels: { app: 'ess' } });
  const trace = async () =>
    (await made.kept('trace'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  return { ...made, http, trace };
}

const headerText = (value: string | Secret | undefined) =>
  value instanceof Secret ? value.revealText((text) => text) : value;

describe('ess.probe', () => {
  test('writes, reads, compares and deletes through every pod, with a token that OpenBao signed', async () => {
    const { ctx, http, guarded, progress, trace } = rig();
    const outputs = await probe.run(input, ctx);
    expect(outputs).toEqual({
      pods: [
        { pod: 'ess-0', ok: true },
        { pod: 'ess-1', ok: true },
      ],
      entity: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    });
    const each = ['PUT', 'GET', 'DELETE', 'GET'];
    expect(http.calls).toEqual(['ess-0', 'ess-1'].flatMap((pod) => each.map((verb) => `${verb} ${pod}`)));
    expect(http.secrets.size).toBe(0);
    expect(headerText(http.headers[0]?.Authorization)).toBe('Bearer jwt of services/ess-api/jwt/nvcf-api');
    expect(http.headers[0]?.['X-ESS-NAMESPACE']).toBe('nvcf');
    // The values and the token are known to the redactor, and written down nowhere.
    const secrets = guarded.map((secret) => secret.revealText((text) => text));
    expect(secrets).toHaveLength(3);
    const told = JSON.stringify([outputs, progress, await trace()]);
    for (const secret of secrets) expect(told).not.toContain(secret);
    expect((await trace()).map(({ at }) => at)).toEqual(['put', 'nothing', 'put', 'nothing', 'done']);
  });

  test('goes where it is told', async () => {
    const { ctx, http } = rig(['ess-0']);
    const other = { ...withBearer, essNamespace: 'tenant', entityType: 'tasks' };
    let path = '';
    http.faults.set('ess-0', 'forgets');
    await expect(probe.run(other, ctx)).rejects.toMatchObject({ code: 'probe-failed' });
    http.faults.clear();
    http.send = async ({ url }) => {
      path = new URL(url).pathname;
      return { status: 200, headers: {}, body: '' };
    };
    await expect(probe.run(other, ctx)).rejects.toMatchObject({ code: 'probe-failed' });
    expect(path).toMatch(/^\/v1\/tasks\/[0-9a-f-]{36}\/runbook-probe$/);
    expect(headerText(http.headers[0]?.Authorization)).toBe('Bearer canary-bearer');
    expect(http.headers[0]?.['X-ESS-NAMESPACE']).toBe('tenant');
  });

  test.each([
    ['down', 'ess-0 did not answer to write a secret: ess-0: connection refused'],
    ['denied', 'ess-0 answered 403 to write a secret.'],
    ['broken', 'ess-0 answered 500 to write a secret.'],
    ['forgets', 'ess-0 gave back nothing'],
    ['changes', 'ess-0 gave back something else'],
    ['lost', 'ess-0 did not answer to write a secret: ess-0: the connection broke'],
  ] as const)(
    'a pod that is %s fails the step, the others are asked all the same, and nothing is left',
    async (fault, reason) => {
      const { ctx, http } = rig();
      http.faults.set('ess-0', fault);
      const run = probe.run(input, ctx);
      await expect(run).rejects.toMatchObject({ code: 'probe-failed' });
      const error = (await run.catch((thrown: unknown) => thrown)) as { readonly details: readonly string[] };
      expect(error.details).toHaveLength(1);
      expect(error.details[0]).toContain(reason);
      expect(http.calls).toContain('PUT ess-1');
      expect(http.secrets.size).toBe(0);
    },
  );

  test('what one pod cannot delete another one does', async () => {
    const { ctx, http, trace } = rig();
    http.faults.set('ess-1', 'keeps');
    await expect(probe.run(input, ctx)).rejects.toMatchObject({
      details: ['ess-1 deleted the secret of the probe, and still gives it.'],
    });
    expect(http.secrets.size).toBe(0);
    expect((await trace()).at(-1)).toEqual({ at: 'nothing' });
  });

  test('no pod, no token and no permission are found before anything is written', async () => {
    const none = rig([]);
    await expect(probe.capture(input, none.ctx)).rejects.toMatchObject({ code: 'no-match' });
    const { ctx, bao, http, cluster } = rig();
    bao.allowed = {};
    const wanted = {
      code: 'policy-missing',
      details: expect.arrayContaining(['path "services/ess-api/jwt/sign/nvcf-api" {']),
    };
    await expect(probe.predict(input, ctx)).rejects.toMatchObject(wanted);
    bao.signJwt = async () => {
      throw new OpenBaoError('permission denied', { status: 403, outcome: 'not-applied', retryable: false });
    };
    await expect(probe.run(input, ctx)).rejects.toMatchObject(wanted);
    expect(await probe.predict(withBearer, ctx)).toMatchObject({ changes: true });
    await expectTold(cluster, 'ess', () => probe.run(withBearer, ctx));
    expect(http.calls).toEqual([]);
    expect(probe.check?.({ ess })).toMatchObject([{ path: ['openbao'] }]);
  });

  test('a pod that hangs is not awaited for ever', async () => {
    const { ctx, http, time } = rig(['ess-0']);
    const start = time.now();
    http.send = () => new Promise(() => undefined);
    await expect(probe.run(withBearer, ctx)).rejects.toMatchObject({
      details: [expect.stringContaining('no answer within 15 s')],
    });
    expect(time.now() - start).toBeLessThan(60_000);
  });
});

describe('ess.probe looks', () => {
  /** A process that was killed after its first write: its next call never comes to an end. */
  async function interrupted(given: EssProbeWith = withBearer) {
    const made = rig();
    const whole = await captured(probe, given, made.ctx);
    const { http, time } = made;
    const never = () => new Promise<never>(() => undefined);
    const clock = { now: () => time.now(), monotonic: () => time.monotonic(), sleep: never };
    const request = http.request.bind(http);
    http.request = never;
    void probe.run(given, { ...whole, services: { ...whole.services, clock } });
    await time.sleep(100, whole.signal);
    http.request = request;
    return { ...made, whole, look: () => probe.observe(given, whole.before, whole) };
  }

  test('and tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const made = rig();
    const whole = await captured(probe, input, made.ctx);
    const look = () => probe.observe(input, whole.before, whole);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await probe.run(input, whole);
    expect(await look()).toMatchObject({ state: 'applied', outputs });

    const cut = await interrupted();
    expect(cut.http.secrets.size).toBe(1);
    expect(await cut.look()).toMatchObject({ state: 'in-progress' });
    await cut.time.sleep(10_000, cut.ctx.signal);
    expect(await cut.look()).toMatchObject({ state: 'not-applied', partial: true });
    const [[where = '', text = ''] = []] = cut.http.secrets;
    cut.http.secrets.set(where, '{"data":{"probe":"of somebody else"}}');
    expect(await cut.look()).toMatchObject({ state: 'conflict' });
    cut.http.secrets.set(where, text);
    cut.http.faults.set('ess-0', 'denied');
    expect(await cut.look()).toMatchObject({ state: 'unknown' });
    cut.http.faults.set('ess-0', 'broken');
    await expect(cut.look()).rejects.toMatchObject({ retryable: true });
    cut.http.faults.clear();
    cut.http.secrets.clear();
    expect(await cut.look()).toMatchObject({
      state: 'not-applied',
      evidence: expect.stringContaining('nothing'),
    });
  });

  test('without a token of its own it says that something may be left, and an undo deletes it', async () => {
    const { http, look, time, ctx, whole } = await interrupted(input);
    await time.sleep(10_000, ctx.signal);
    expect(await look()).toMatchObject({ state: 'not-applied', partial: true });
    http.faults.set('ess-0', 'down');
    await undo(input, whole.before, undefined, whole);
    expect(http.secrets.size).toBe(0);
    expect(await look()).toMatchObject({ state: 'not-applied', evidence: 'nothing of the probe is in ESS' });
  });

  test('a repetition after a crash leaves nothing, and an undo that cannot delete says so', async () => {
    const again = await interrupted();
    await probe.run(withBearer, again.whole);
    expect(again.http.secrets.size).toBe(0);
    expect(await again.look()).toMatchObject({ state: 'applied' });
    await undo(withBearer, again.whole.before, undefined, again.whole);
    expect(await again.look()).toMatchObject({ state: 'not-applied' });

    const stuck = await interrupted();
    for (const pod of ['ess-0', 'ess-1']) stuck.http.faults.set(pod, 'broken');
    await expect(undo(withBearer, stuck.whole.before, undefined, stuck.whole)).rejects.toMatchObject({
      code: 'ess-refused',
    });
  });
});
