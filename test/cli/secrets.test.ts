import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rootToken } from '../../src/sandbox/seed/cluster.ts';
import { createRig, type Rig } from './rig.ts';
import { filesBelow } from './state.ts';

/** Characters that each encoding writes differently. */
const canaries = ['canary"one\\/+? é Zx9', 'canary two&=%<ü>Qw7'] as const;

function encodings(canary: string): readonly string[] {
  const bytes = Buffer.from(canary);
  // Base64 of the text at each of its three alignments inside something longer.
  const inside = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  return [
    canary,
    ...inside,
    bytes.toString('base64url').replace(/..$/, ''),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(canary),
    encodeURIComponent(canary).toLowerCase(),
    JSON.stringify(canary).slice(1, -1),
    JSON.stringify(JSON.stringify(canary)).slice(3, -3),
  ];
}

function found(text: string): readonly string[] {
  return canaries.flatMap((canary) => encodings(canary).filter((form) => text.includes(form)));
}

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

/** Every argument list that this machine shows while the run goes on. */
function watchProcesses(): () => string {
  const seen = new Set<string>();
  const look = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        // It ended meanwhile.
      }
  };
  const timer = setInterval(look, 5);
  return () => {
    clearInterval(timer);
    return [...seen].join('\n');
  };
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
  expect(found(said)).toEqual([]);
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
  for (const form of encodings(token)) expect(said.includes(form)).toBe(false);
});

test('the encodings would be found if they were there', () => {
  for (const canary of canaries)
    for (const form of [
      canary,
      `x ${JSON.stringify({ canary })}`,
      Buffer.from(`xy${canary} and more`).toString('base64'),
      Buffer.from(canary).toString('hex'),
      encodeURIComponent(canary),
    ])
      expect(found(form)).not.toEqual([]);
});
