import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { CommandError, type Environment } from '../../src/commands/command.ts';
import { validate } from '../../src/commands/validate.ts';
import { memoryStreams } from '../fakes/memory-streams.ts';

const packageRoot = path.resolve(import.meta.dirname, '../..');
const head = 'apiVersion: runbook/v1\nname: demo\ntitle: Demo\ndescription: A demonstration.\n';
const good = `${head}steps:\n  - {id: say, uses: note, with: {text: hello}}\n`;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'validate-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

async function run(cwd: string, args: readonly string[], options: Readonly<Record<string, string>> = {}) {
  const streams = memoryStreams();
  const environment = { env: {}, cwd, packageRoot, version: '1.2.3', streams, stdoutIsTty: false };
  const code = await validate.run(args, options, environment as unknown as Environment);
  return { code, out: streams.out, err: streams.err };
}

describe('runbook validate', () => {
  test('says that a valid runbook is valid', async () => {
    const cwd = folderWith({ 'a.yaml': good });
    expect(await run(cwd, ['a.yaml'])).toEqual({ code: 0, out: 'a.yaml is valid\n', err: '' });
  });

  test('finds a runbook by its bare name, and shipped ones to include', async () => {
    const cwd = folderWith({
      'runbooks/mine.yaml': `${head}steps:\n  - {id: all, uses: check-health.yaml}\n`,
    });
    expect(await run(cwd, ['mine'])).toEqual({ code: 0, out: 'runbooks/mine.yaml is valid\n', err: '' });
  });

  test('prints mistakes of all files to stdout, and ends with 3', async () => {
    const cwd = folderWith({ 'a.yaml': `${good}rsik: low\n`, 'b.yaml': good });
    const { code, out } = await run(cwd, ['a.yaml', 'b.yaml']);
    expect(code).toBe(3);
    expect(out).toBe(
      `a.yaml:7:1: error[unknown-key]: there is no key "rsik" in the runbook\n  7 | rsik: low\n    | ^^^^\nhint: did you mean "risk"?\n\n1 error\nb.yaml is valid\n`,
    );
  });

  test('prints what two runbooks include once', async () => {
    const including = `${head}steps:\n  - {id: other, uses: ./c.yaml}\n`;
    const cwd = folderWith({ 'a.yaml': including, 'b.yaml': including, 'c.yaml': `${good}rsik: low\n` });
    const { out } = await run(cwd, ['a.yaml', 'b.yaml']);
    expect(out.match(/unknown-key/g)).toHaveLength(1);
  });

  test('ends with 0 when there are warnings only', async () => {
    const cwd = folderWith({
      'a.yaml': `${head}inputs:\n  a: {type: string, description: d}\nsteps:\n  - {id: say, uses: note, with: {text: a}}\n`,
    });
    const { code, out } = await run(cwd, ['a.yaml']);
    expect(code).toBe(0);
    expect(out).toContain('a.yaml:6:3: warning[unused-input]');
  });

  test('knows the services of the inventory', async () => {
    const cwd = folderWith({
      'a.yaml': `${head}inputs:\n  s: {type: service, description: d, default: nvcf-apy}\nsteps:\n  - {id: say, uses: note, with: {text: "{{inputs.s.title}}"}}\n`,
    });
    expect((await run(cwd, ['a.yaml'])).out).toContain(
      'error[unknown-service]: there is no service "nvcf-apy" in the inventory',
    );
  });

  test('follows no symbolic link out of the folder', async () => {
    const cwd = folderWith({ 'in/a.yaml': `${head}steps:\n  - {id: x, uses: ./b.yaml}\n`, 'out.yaml': good });
    symlinkSync(path.join(cwd, 'out.yaml'), path.join(cwd, 'in/b.yaml'));
    expect((await run(cwd, ['in/a.yaml'])).out).toContain(
      './b.yaml leaves the folder of this runbook through a symbolic link',
    );
  });

  test('reads no more of a large file than it takes to refuse it', async () => {
    const cwd = folderWith({ 'a.yaml': `${good}#${'x'.repeat(3_000_000)}\n` });
    expect((await run(cwd, ['a.yaml'])).out).toContain(
      'error[file-too-large]: the file has more than 1048576 bytes (1 MiB)',
    );
  });

  test('a folder is no runbook', async () => {
    const cwd = folderWith({ 'a.yaml': `${head}steps:\n  - {id: x, uses: ./b.yaml}\n`, 'b.yaml/c': good });
    expect((await run(cwd, ['a.yaml'])).out).toContain(
      'b.yaml:1:1: error[unreadable]: the file cannot be read: it is a folder',
    );
  });

  test('checks an inventory too', async () => {
    const cwd = folderWith({ 'services.yaml': 'apiVersion: services/v1\nservices: {}\n' });
    const { code, out } = await run(cwd, ['services.yaml']);
    expect(code).toBe(3);
    expect(out).toContain('error[missing-key]: the key "lockNamespace" is missing in the inventory');
    expect(await run(packageRoot, ['runbooks/services.yaml'])).toMatchObject({ code: 0 });
  });

  test.each([
    ['json', (out: string) => JSON.parse(out).errors],
    ['sarif', (out: string) => JSON.parse(out).runs[0].results.length],
    ['github', (out: string) => out.match(/^::error /gm)?.length],
  ])('prints %s', async (format, count) => {
    const cwd = folderWith({ 'a.yaml': `${good}rsik: low\n`, 'b.yaml': good });
    const { code, out } = await run(cwd, ['a.yaml', 'b.yaml'], { format });
    expect(code).toBe(3);
    expect(count(out)).toBe(1);
  });

  test('a file that is not there is wrong usage', async () => {
    await expect(run(folderWith({}), ['none.yaml'])).rejects.toThrow(CommandError);
  });
});
