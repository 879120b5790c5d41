import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Connection, connect, putObject } from '../api.ts';
import { createUser, ensureUp, reset, type Stack } from '../control.ts';
import type { Manifest } from '../manifests/manifest.ts';
import { testLabel } from '../reset.ts';
import { accepted, isDryRun, isReview, isWrite, recordAudit } from './audit.ts';
import { createOperator, showRun, stackTraceIn } from './rig.ts';
import {
  createNamespace,
  createWorkload,
  deployment,
  removeNamespace,
  settled,
  type Workload,
} from './workload.ts';

let stack: Stack;
let admin: Connection;
let namespace: string;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  namespace = await createNamespace(admin, 'plan');
});

afterAll(async () => {
  await removeNamespace(admin, namespace);
  await reset();
});

describe('a plan changes nothing', () => {
  const planned = [
    ['plan', 'restart-service', '--input', 'service=nvcf-api'],
    ['plan', 'restart-service', '--input', 'service=openbao'],
    ['exec', 'take-offline', '--input', 'service=notary', '--dry-run'],
    ['plan', 'scale-service', '--input', 'service=notary', '--input', 'replicas=2'],
    ['plan', 'restart-all'],
    ['plan', 'check-health'],
  ];
  test.each(planned)('%s %s %s %s', async (...args) => {
    const audit = recordAudit(admin);
    const { code, stdout, stderr } = await createOperator(stack.kubeconfig).run(args);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const entries = (await audit.entries()).filter(({ userAgent = '' }) => !userAgent.startsWith('vitest'));
    expect(entries.filter(isWrite)).toEqual([]);
    const changing = entries.filter((entry) => !['get', 'list', 'watch'].includes(entry.verb));
    expect(changing.every((entry) => isDryRun(entry) || isReview(entry))).toBe(true);
    expect(entries.some(isReview)).toBe(true);
  });
});

function scaleAndRestart({ namespace: where, name }: Workload): string {
  return `apiVersion: runbook/v1
name: scale-and-restart
title: Scale and restart
description: One pod more, all of them new; back again if that fails.
risk: low
locks: [${where}/${name}]
steps:
  - id: more
    name: One pod more
    uses: kubectl.scale
    with: {kind: Deployment, name: ${name}, namespace: ${where}, replicas: 2}
    timeout: 2m
    rollback:
      - id: evict
        name: Delete the pod that was added
        uses: kubectl.delete-pod
        with: {namespace: ${where}, name: ${name}-added}
        timeout: 1m
  - id: colour
    name: Another colour
    uses: kubectl.set-env
    with: {kind: Deployment, name: ${name}, namespace: ${where}, container: main, env: {COLOR: green}}
    timeout: 2m
verifications:
  - id: ready
    name: Both pods are ready
    uses: kubectl.pods
    with: {namespace: ${where}, selector: app=${name}}
    expect: outputs.count == 2 && outputs.pods.all(p, p.ready)
    until: {within: 1m, every: 1s}
`;
}

/** Gives a user exactly what `plan --access` printed. */
async function grant(user: string, printed: string): Promise<void> {
  for (const document of parseAllDocuments(printed)) {
    const role = document.toJS() as Manifest;
    const metadata = {
      ...role.metadata,
      name: `${role.metadata.name}-${user}`,
      labels: { [testLabel]: 'user' },
    };
    await putObject(admin, { ...role, metadata });
    await putObject(admin, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: `${role.kind}Binding`,
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: user, namespace: 'default' }],
    });
  }
}

describe('permissions', () => {
  test('what is missing is named before anything happens, with the step that needs it, and the rollback too', async () => {
    const workload = await createWorkload(admin, namespace, 'forbidden');
    const user = await createUser(`e2e-poor-${process.pid}`, [
      {
        namespace,
        apiGroups: ['apps'],
        resources: ['deployments', 'replicasets'],
        verbs: ['get', 'list', 'watch'],
      },
      { namespace, apiGroups: [''], resources: ['pods', 'events'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    ]);
    const operator = createOperator(user);
    const file = operator.write('change.yaml', scaleAndRestart(workload));
    const before = (await deployment(admin, workload)).metadata?.generation;
    for (const command of ['plan', 'exec']) {
      const { code, stdout, stderr } = await operator.run([command, file]);
      const printed = `${stdout}\n${stderr}`;
      const text = printed.replace(/\s+/g, ' ');
      expect(code, printed).toBe(4);
      expect(stackTraceIn(printed)).toBeUndefined();
      expect(text).toMatch(/may not patch deployments\.apps.* in .*namespace|patch deployments/);
      expect(text).toContain('more');
      expect(text).toContain('colour');
      expect(text).toMatch(/delete pods/);
      expect(text).toMatch(/evict/);
      expect(text).toMatch(/leases/);
    }
    expect((await deployment(admin, workload)).metadata?.generation).toBe(before);
    expect((await operator.run(['runs'])).stdout).not.toContain('scale-and-restart');
  });

  test('exactly what plan --access prints is enough for the run and for its rollback', async () => {
    const workload = await createWorkload(admin, namespace, 'granted');
    const administrator = createOperator(stack.kubeconfig);
    const text = scaleAndRestart(workload).replace(/ {4}rollback:\n( {6}.*\n)+/, '');
    const printed = await administrator.run(['plan', administrator.write('change.yaml', text), '--access']);
    expect(printed.code, printed.stderr).toBe(0);
    const name = `e2e-exact-${process.pid}`;
    const user = await createUser(name, []);
    await grant(name, printed.stdout);

    const operator = createOperator(user);
    const file = operator.write('change.yaml', text);
    const audit = recordAudit(admin);
    const ran = await operator.run(['exec', file]);
    expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    await settled(admin, workload);
    const back = await operator.run(['rollback', 'last', '--yes']);
    expect(back.code, `${back.stdout}\n${back.stderr}`).toBe(5);
    expect((await settled(admin, workload)).spec).toMatchObject({ replicas: 1 });
    const refused = (await audit.entries(`system:serviceaccount:default:${name}`)).filter(
      ({ responseStatus }) => responseStatus?.code === 403,
    );
    expect(refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  });

  test.each(['nvcf-api', 'openbao'])('so it is for restart-service of %s', async (service) => {
    const input = ['restart-service', '--input', `service=${service}`];
    const printed = await createOperator(stack.kubeconfig).run(['plan', ...input, '--access']);
    const name = `e2e-${service}-${process.pid}`;
    const user = await createUser(name, []);
    const yaml = printed.stdout.split(/^(?:---\n)?# OpenBao/m)[0] ?? '';
    await grant(name, yaml);
    const { code, stdout, stderr } = await createOperator(user).run(['plan', ...input]);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
  });
});

describe('a saved plan', () => {
  test('runs exactly what was planned; when the object moved meanwhile it exits 9 and names it', async () => {
    const workload = await createWorkload(admin, namespace, 'saved');
    const operator = createOperator(stack.kubeconfig);
    const file = operator.write('change.yaml', scaleAndRestart(workload));
    for (const out of ['first.json', 'second.json'])
      expect((await operator.run(['plan', file, '--out', out])).code).toBe(0);
    expect(JSON.parse(readFileSync(`${operator.folder}/first.json`, 'utf8'))).toMatchObject({ version: 1 });

    const found = await deployment(admin, workload);
    const moved = structuredClone(found);
    Object.assign(moved.spec ?? {}, { replicas: 3 });
    await admin.objects.replace({ ...moved, apiVersion: 'apps/v1', kind: 'Deployment' });
    await settled(admin, workload);
    const audit = recordAudit(admin);
    const stale = await operator.run(['exec', 'first.json', '--yes']);
    expect(stale.code, stale.stderr).toBe(9);
    expect(stale.stderr).toContain(`Deployment ${namespace}/saved`);
    expect(stale.stderr).toMatch(/generation 1.*generation 2/s);
    expect(accepted(await audit.entries(), { resource: 'deployments', namespace })).toEqual([]);

    const edited = operator.write('change.yaml', `${scaleAndRestart(workload)}\n# later\n`);
    const changed = await operator.run(['exec', 'second.json', '--yes']);
    expect(changed.code, changed.stderr).toBe(9);
    expect(changed.stderr).toContain(edited.split('/').at(-1) ?? '');
  });

  test('of an unmoved world is run', async () => {
    const workload = await createWorkload(admin, namespace, 'unmoved');
    const operator = createOperator(stack.kubeconfig);
    const text = scaleAndRestart(workload);
    expect(
      (await operator.run(['plan', operator.write('change.yaml', text), '--out', 'plan.json'])).code,
    ).toBe(0);
    const { code, stderr } = await operator.run(['exec', 'plan.json', '--yes']);
    expect(code, stderr).toBe(0);
    const { events } = await showRun(operator);
    expect(events[0]).toMatchObject({ type: 'run-opened', pinned: true });
    expect((await settled(admin, workload)).spec?.replicas).toBe(2);
  });
});
