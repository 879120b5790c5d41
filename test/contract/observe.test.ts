import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { ChangeStepType, Observation, RunContext } from '../../src/engine/step-type.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds, type ObjectRef } from '../../src/services/kubernetes.ts';
import type { Services } from '../../src/services/services.ts';
import { steps } from '../../src/steps/index.ts';

const api = { kind: 'Deployment', name: 'nvcf-api', namespace: 'nvcf' } as const;
const apiRef: ObjectRef = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };
const labels = { spec: { template: { metadata: { labels: { team: 'a' } } } } };

interface Scenario {
  readonly input: object | ((sandbox: Sandbox) => Promise<object>);
  /** Before anything is captured. */
  prepare?(services: Services): Promise<unknown>;
  /** Somebody else, after the step has ended. */
  meddle(services: Services, outputs: object): Promise<unknown>;
}

const patchApi = (body: object) => (services: Services) =>
  services.kubernetes.patch(apiRef, { type: 'strategic', body: body as never });
const otherTemplate = patchApi({
  spec: { template: { metadata: { annotations: { 'runbook.io/op': 'x' }, labels: { team: 'z' } } } },
});

const bao = { namespace: 'vault-system', selector: 'app.kubernetes.io/name=openbao,component=server' };

async function baoToken({ services }: Sandbox): Promise<object> {
  const ref = { kind: kinds.secrets, namespace: 'vault-system', name: 'openbao-server-root-token' };
  const secret = await services.kubernetes.get(ref);
  const encoded = String(secret?.data?.root_token ?? '');
  return { ...bao, token: Secret.fromText('token', Buffer.from(encoded, 'base64').toString()) };
}

async function recreate(services: Services, ref: ObjectRef): Promise<void> {
  await services.kubernetes.delete(ref, { gracePeriodSeconds: 0 });
}

// exec and kubectl.exec leave the verdict to a program of the author's: their own tests hold all five.
const scenarios: Readonly<Record<string, Scenario>> = {
  'kubectl.rollout-restart': { input: api, meddle: otherTemplate },
  'kubectl.rollout-undo': { input: api, prepare: patchApi(labels), meddle: otherTemplate },
  'kubectl.scale': { input: { ...api, replicas: 3 }, meddle: patchApi({ spec: { replicas: 2 } }) },
  'kubectl.set-env': {
    input: { ...api, container: 'helm-nvcf-api', env: { MODE: 'fast' } },
    meddle: patchApi({
      spec: {
        template: {
          spec: { containers: [{ name: 'helm-nvcf-api', env: [{ name: 'MODE', value: 'slow' }] }] },
        },
      },
    }),
  },
  'kubectl.patch': { input: { ...api, patch: labels }, meddle: otherTemplate },
  'kubectl.apply': {
    input: {
      manifest: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'nvcf-api', namespace: 'nvcf' },
        ...labels,
      },
    },
    meddle: otherTemplate,
  },
  'kubectl.delete-pod': {
    input: { namespace: 'nats-system', name: 'nats-1' },
    // Another set of the same name makes the pod anew.
    async meddle({ kubernetes, clock }) {
      const ref = { kind: kinds.statefulSets, namespace: 'nats-system', name: 'nats' };
      const set = await kubernetes.get(ref);
      await recreate({ kubernetes } as Services, ref);
      await clock.sleep(120_000, new AbortController().signal);
      const { name, namespace, labels: own } = set?.metadata ?? { name: '', namespace: '', labels: {} };
      await kubernetes.create({
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name, namespace: namespace ?? '', labels: { ...own } },
        spec: set?.spec ?? {},
      });
      await clock.sleep(120_000, new AbortController().signal);
    },
  },
  'bao.step-down': {
    input: baoToken,
    // The pod that was active comes back as another one, and leads again.
    async meddle(services, outputs) {
      const { previous } = outputs as { readonly previous: string };
      const token = (await baoToken({ services } as Sandbox)) as { readonly token: Secret };
      await services.kubernetes.delete({ kind: kinds.pods, namespace: 'vault-system', name: previous }, {});
      await services.clock.sleep(240_000, new AbortController().signal);
      for (let turn = 0; turn < 12; turn++) {
        const pods = await services.kubernetes.list(kinds.pods, {
          namespace: bao.namespace,
          labelSelector: bao.selector,
        });
        for (const { metadata } of pods) {
          const pod = { namespace: bao.namespace, pod: metadata.name, uid: metadata.uid };
          const node = await services.openbao.node(pod, new AbortController().signal);
          if (node.active && metadata.name === previous) return;
          if (node.active) await services.openbao.stepDown(pod, token.token, new AbortController().signal);
        }
        await services.clock.sleep(15_000, new AbortController().signal);
      }
    },
  },
};

function contextOn(sandbox: Sandbox, afterEffect: () => Promise<void>): RunContext {
  const { services } = sandbox;
  // Looks at the world right after each effect, while the step still waits for what follows from it.
  const watched = <T extends object>(target: T, effects: readonly string[]): T =>
    new Proxy(target, {
      get(object, name) {
        const member = Reflect.get(object, name) as unknown;
        if (typeof member !== 'function') return member;
        if (!effects.includes(String(name))) return member.bind(object);
        return async (...args: unknown[]) => {
          const result = (await member.apply(object, args)) as unknown;
          await afterEffect();
          return result;
        };
      },
    });
  return {
    services: {
      ...services,
      kubernetes: watched(services.kubernetes, ['patch', 'apply', 'delete']),
      openbao: watched(services.openbao, ['stepDown']),
    },
    signal: new AbortController().signal,
    runId: 'run',
    instance: 'step',
    operationKey: 'rb-1',
    deadline: services.clock.now() + 3_600_000,
    progress: () => undefined,
    checkpoint: async () => undefined,
  };
}

const changing = [...steps.values()].filter(
  (type): type is ChangeStepType<never, object> => type.effect === 'change' && type.effectOf === undefined,
);

describe('on the sandbox, observe answers', () => {
  test.each(changing.map((type) => [type.type, type] as const))('%s', async (name, type) => {
    const scenario = scenarios[name];
    if (scenario === undefined) throw new Error(`no scenario for ${name}`);
    const sandbox = openSandbox({ seed: 7 });
    await settle(sandbox);
    await scenario.prepare?.(sandbox.services);
    await settle(sandbox);
    const given = typeof scenario.input === 'function' ? await scenario.input(sandbox) : scenario.input;
    const input = given as never;
    const during: Observation[] = [];
    const ctx = contextOn(sandbox, async () => void during.push(await look()));
    const before = await type.capture(input, ctx);
    const look = () => type.observe(input, before, ctx);

    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await type.run(input, ctx);
    expect(during[0]).toMatchObject({ state: 'in-progress' });
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    await scenario.meddle(sandbox.services, outputs);
    expect(await look()).toMatchObject({ state: 'conflict' });
    sandbox.control.deny({});
    expect(await look()).toMatchObject({ state: 'unknown' });
    sandbox.close();
  });
});

/** The seeded world starts in the middle of nothing; let whatever is under way end. */
async function settle({ services }: Sandbox): Promise<void> {
  await services.clock.sleep(600_000, new AbortController().signal);
}
