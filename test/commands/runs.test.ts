import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRig, type Rig } from '../cli/rig.ts';
import { oneChange } from '../cli/runbooks.ts';
import { runFolderOf } from '../cli/state.ts';

async function withRun(...more: readonly string[]): Promise<Rig> {
  const rig = createRig();
  rig.write('one-change.yaml', oneChange);
  await rig.run(['exec', 'one-change', '--sandbox', '--yes', ...more]);
  return rig;
}

describe('runbook runs', () => {
  test('says that there are none, and where it looked', async () => {
    const { code, stdout, stderr } = await createRig().run(['runs']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/^no runs in .*\/state\/runbook\/runs\n$/);
  });

  test('lists the newest first, as a table and as JSON', async () => {
    const rig = await withRun('--fault', 'scale=crash-before');
    await rig.run(['exec', 'one-change', '--sandbox', '--yes']);
    const table = await rig.run(['runs']);
    expect(table.stdout).toMatch(
      /^RUN +RUNBOOK +STANDING +STARTED +BY\n\S+-2 +one-change +done .*\n\S+ +one-change +stopped /,
    );
    const json = JSON.parse((await rig.run(['runs', '--format', 'json'])).stdout) as object[];
    expect(json).toMatchObject([
      { runbook: 'one-change', standing: 'done' },
      { runbook: 'one-change', standing: 'stopped' },
    ]);
    expect((await rig.run(['show', 'last'])).stdout).toContain('1 changed');
  });

  test('--prune removes what ended, and nothing that could still be resumed', async () => {
    const rig = await withRun('--fault', 'scale=crash-before');
    await rig.run(['exec', 'one-change', '--sandbox', '--yes']);
    const kept = await rig.run(['runs', '--prune', '--older-than', '1d']);
    expect(kept.stderr).toContain('removed 0 runs');
    const pruned = await rig.run(['runs', '--prune', '--older-than', '1ms']);
    expect(pruned.stdout).toMatch(/^\S+-2\n$/);
    expect((await rig.run(['runs'])).stdout).toMatch(/stopped/);
    expect((await rig.run(['resume', 'last', '--yes'])).code).toBe(0);
    const bad = await rig.run(['runs', '--prune', '--older-than', 'long']);
    expect(bad.code).toBe(2);
    expect(bad.stderr).toContain('for example --older-than 14d');
  });
});

describe('runbook show and report', () => {
  test('show tells every event, the outputs, and how a stopped run goes on', async () => {
    const rig = await withRun('--fault', 'scale=crash-after');
    const stopped = await rig.run(['show', 'last']);
    expect(stopped.stderr).toMatch(/go on with 'runbook resume \S+' or 'runbook rollback \S+'/);
    await rig.run(['resume', 'last', '--yes']);
    const { stdout } = await rig.run(['show', 'last']);
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d {2}resume +continued by /m);
    expect(stdout).toMatch(/\nready: 2\n$/);
    const json = await rig.run(['show', 'last', '--format', 'json']);
    expect(JSON.parse(json.stdout)).toBeTypeOf('object');
  });

  test('report is Markdown, JSON, or one page of HTML that loads nothing', async () => {
    const rig = await withRun();
    const [markdown, html, json] = await Promise.all(
      ['markdown', 'html', 'json'].map((format) => rig.run(['report', 'last', '--format', format])),
    );
    expect(markdown?.stdout).toMatch(/^# .*One change/);
    expect(html?.stdout).toMatch(/^<!doctype html>/i);
    expect(html?.stdout).not.toMatch(/<script|src=|href="http|@import|url\(/);
    expect(JSON.parse(json?.stdout ?? '')).toMatchObject({ runbook: expect.anything() });
  });

  test.each(['show', 'report', 'verify', 'resume', 'rollback'])(
    '%s of an unknown run is wrong usage',
    async (verb) => {
      const { code, stderr } = await createRig().run([verb, '../../etc']);
      expect(stderr).toMatch(/^error: there is no run '..\/..\/etc'\nhint: 'runbook runs' lists them/);
      expect(code).toBe(2);
    },
  );
});

describe('runbook verify', () => {
  test('a whole journal', async () => {
    const { code, stdout } = await (await withRun()).run(['verify', 'last']);
    expect(stdout).toMatch(/: whole, \d+ records, head \d+:[0-9a-f]{12}\n$/);
    expect(code).toBe(0);
  });

  test.each([0.1, 0.5, 0.9])('one flipped bit at %d of its length is found and placed', async (where) => {
    const rig = await withRun();
    const folder = runFolderOf(rig);
    const file = path.join(folder, 'journal.jsonl');
    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length * where);
    const before = bytes.subarray(0, at).filter((byte) => byte === 0x0a).length;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const { code, stdout } = await rig.run(['verify', path.basename(folder)]);
    expect(code).toBe(74);
    expect(stdout).toMatch(new RegExp(`record (${before}|${before + 1})\\b`));
    expect((await rig.run(['resume', path.basename(folder)])).code).toBe(74);
  });

  test('a plan that was tampered with is damage too', async () => {
    const rig = await withRun();
    const [name = ''] = readdirSync(runFolderOf(rig)).filter((file) => file === 'plan.json');
    const file = path.join(runFolderOf(rig), name);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"replicas":2', '"replicas":9'));
    const { code, stdout, stderr } = await rig.run(['verify', 'last']);
    expect(`${stdout}${stderr}`).toContain('plan');
    expect(code).toBe(74);
  });
});
