import { describe, expect, test } from 'vitest';
import { createRig } from './rig.ts';

/** What the guide says in words, and nobody else holds the runbooks to. */
describe('the guide', () => {
  test('an upgrade without a values file is refused, unless the values of the release are kept on purpose', async () => {
    const rig = createRig();
    const asked = [
      'exec',
      'spot-upgrade',
      '--sandbox',
      '--yes',
      '--input',
      'service=nvcf-api',
      '--input',
      'version=1.25.2',
    ];
    const refused = await rig.run(asked);
    expect(refused.stderr).toMatch(/values/);
    expect(refused.stderr).toMatch(/reuse/);
    expect([3, 4]).toContain(refused.code);
    expect((await rig.run(['runs'])).stdout).not.toContain('done');
    const kept = await rig.run([...asked, '--input', 'reuse=true']);
    expect(kept.code, kept.stderr).toBe(0);
  });

  test('an upgrade is of one service', async () => {
    const { code, stderr } = await createRig().run([
      'plan',
      'spot-upgrade',
      '--sandbox',
      '--input',
      'service=nvcf-api,notary',
      '--input',
      'version=1.25.2',
    ]);
    expect(stderr).toContain('nvcf-api,notary');
    expect(code).toBe(3);
  });

  test('every upgrade says the danger and the warning, and asks', async () => {
    const cases = [
      ['spot-upgrade', 'service=nvcf-api', 'version=1.25.2', 'reuse=true'],
      ['upgrade-nats', 'version=0.7.2', 'reuse=true'],
      ['upgrade-cassandra', 'version=0.20.2', 'reuse=true', 'acceptJobs=true'],
      ['upgrade-openbao', 'reuse=true'],
    ];
    const plans = await Promise.all(
      cases.map(([name = '', ...inputs]) =>
        createRig().run(['plan', name, '--sandbox', ...inputs.flatMap((input) => ['--input', input])]),
      ),
    );
    for (const { code, stdout } of plans) {
      const asks = stdout.replace(/\s+/g, ' ');
      expect(asks).toMatch(/asks first: .*Danger: .*not supported/i);
      expect(asks).toMatch(/Warning: .*Helmfile/i);
      expect(code).toBe(0);
    }
  });

  test('a service that was taken offline is back only once its pods are ready', async () => {
    const rig = createRig();
    const off = await rig.run(['exec', 'take-offline', '--sandbox', '--yes', '--input', 'service=nvcf-api']);
    expect(off.code, off.stderr).toBe(0);
    const on = await rig.run([
      'exec',
      'bring-online',
      '--sandbox',
      '--world',
      'last',
      '--yes',
      '--input',
      'service=nvcf-api',
    ]);
    expect(on.code, on.stderr).toBe(0);
    expect(on.stdout).toContain('1 of 1 ready');
  });
});
