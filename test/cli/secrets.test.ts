import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rootToken } from '../../src/sandbox/seed/cluster.ts';
import { canaryScanner, secretText } from './canaries.ts';
import { watchProcesses } from './processes.ts';
import { createRig, type Rig } from './rig.ts';
import { filesBelow } from './state.ts';

/** Characters that each encoding writes differently. */
const canaries = ['canary"one\\/+? é Zx9', 'canary two&=%<ü>Qw7'] as const;

const { find } = canaryScanner(canaries.map((canary) => secretText(canary, canary)));

/** Shows what it was given in every way a careless program does, and fails when it is told to. */
const teller = `let input = '';
process.stdin.on('data', (piece) => { input += piece; }).on('end', () => {
  for (const text of [process.env.GIVEN, input]) {
    const bytes = Buffer.from(text);
    console.log(text, JSON.stringify({ text }), JSON.stringify(JSON.stringify(text)));
    console.log(bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex'), bytes.toString('hex').toUpperCase());
    console.log(Buffer.from('x' + text).toString('base64'), Buffer.from('xy' + text).toString('base64'));
    console.error('url', encodeURIComponent(text), 'https://u:' + encodeURIComponent(text) + '@host/');
    for (const letter of text) process.stdout.write(letter);
    console.log();
  }
  process.exit(Number(process.argv[2]));
});
`;

function runbook(port: number, code: number): string {
  return `apiVersion: runbook/v1
name: own
title: Secrets
description: Hands two secrets to programs and servers.
risk: low
inputs:
  one: {type: secret, description: From the environment, from: {env: RUNBOOK_SECRET_ONE}}
  two: {type: secret, description: From a file, from: {file: two.secret}}
steps:
  - id: http
    uses: http.check
    with: {url: "http://127.0.0.1:${port}/", headers: {x-one: "Bearer {{inputs.one}}"}}
    onFailure: continue
  - id: tell
    uses: exec
    with: {command: [node, teller.mjs, "${code}"], effect: read, env: {GIVEN: "{{inputs.one}}"}, stdin: "{{inputs.two}}"}
${code === 0 ? 'outputs:\n  told: "{{steps.tell.outputs.stdout}}"\n' : ''}`;
}

/** Answers with what it was sent. */
async function echoServer(): Promise<number> {
  const server = http.createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function everythingSaid(rig: Rig, output: string): Promise<string> {
  const stop = watchProcesses();
  const told = path.join(rig.folder, 'notified.txt');
  rig.write('notify.sh', `#!/bin/sh\ncat >> ${told}\n`);
  const done = await rig.shell(
    `chmod 700 notify.sh; chmod 600 two.secret; runbook exec own --output ${output} --notify ./notify.sh`,
    { RUNBOOK_SECRET_ONE: canaries[0] },
  );
  const later = await Promise.all(
    [
      ['show', 'last'],
      ['show', 'last', '--format', 'json'],
      ['report', 'last'],
      ['report', 'last', '--format', 'html'],
      ['report', 'last', '--format', 'json'],
      ['plan', 'own', '--format', 'json'],
    ].map((args) => rig.run(args, { env: { RUNBOOK_SECRET_ONE: canaries[0] } })),
  );
  const files = filesBelow(rig.folder).filter((file) => !/two\.secret$/.test(file));
  expect(files.some((file) => file.endsWith('journal.jsonl'))).toBe(true);
  expect(files).toContain(told);
  return [
    ...[done, ...later].map(({ code, stdout, stderr }) => `exit ${code}\n${stdout}\n${stderr}`),
    ...files.map((file) => readFileSync(file, 'latin1')),
    ...files.map((file) => readFileSync(file, 'utf8')),
    stop(),
  ].join('\n');
}

test.each([
  ['plain', 0],
  ['json', 0],
  ['plain', 3],
  ['json', 3],
])('nothing that is printed or kept holds a secret (%s, a program that exits %i)', async (output, code) => {
  const rig = createRig();
  rig.write('own.yaml', runbook(await echoServer(), code));
  rig.write('two.secret', `${canaries[1]}\n`);
  rig.write('teller.mjs', teller);
  const said = await everythingSaid(rig, output);
  // The program did tell: its lines are there, with the secret hidden.
  expect(said).toContain('https://u:');
  expect(said).toContain(code === 0 ? 'exit 0' : 'exit 4');
  expect(find(said)).toEqual([]);
});

test('a Kubernetes Secret leaves no trace either', async () => {
  const rig = createRig();
  const done = await rig.run(['exec', 'check-health', '--sandbox', '--output', 'json']);
  expect(done.code).toBe(0);
  const report = await rig.run(['report', 'last']);
  const kept = filesBelow(path.join(rig.folder, 'state')).map((file) => readFileSync(file, 'utf8'));
  expect(kept.join('\n')).toContain('openbao-server-root-token');
  const token = rootToken(1);
  expect(token.length).toBeGreaterThan(15);
  const said = [done.stdout, done.stderr, report.stdout, ...kept].join('\n');
  expect(canaryScanner([secretText('token', token)]).find(said)).toEqual([]);
});
