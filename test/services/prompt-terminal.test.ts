import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createTerminalPrompt, type Terminal } from '../../src/services/prompt-terminal.ts';
import { createRealServices } from '../../src/services/real-services.ts';

/** A terminal that types the given keys as soon as it is asked. */
function typing(...answers: readonly (string | Uint8Array)[]) {
  const left = [...answers];
  const log = { shown: '', raw: [] as boolean[], opened: 0, closed: 0, interrupts: 0 };
  const open = (): Terminal => {
    const input = Object.assign(new PassThrough(), {
      setRawMode: (raw: boolean) => {
        log.raw.push(raw);
      },
    });
    const output = new PassThrough();
    log.opened += 1;
    output.on('data', (chunk: Buffer) => {
      log.shown += chunk.toString();
      const answer = / $/u.test(log.shown) ? left.shift() : undefined;
      if (answer !== undefined) setImmediate(() => input.write(answer));
    });
    return {
      input,
      output,
      close: () => {
        log.closed += 1;
        input.destroy();
      },
    };
  };
  const interrupt = () => {
    log.interrupts += 1;
  };
  return { log, prompt: createTerminalPrompt({ interactive: true, interrupt, open }) };
}

const never = () => new AbortController().signal;

describe('questions', () => {
  test.each([
    ['yes', true],
    ['Y', true],
    [' no ', false],
    ['n', false],
  ])('%s confirms as %s', async (answer, expected) => {
    const { prompt, log } = typing(`${answer}\n`);
    expect(await prompt.confirm('Delete it?', never())).toBe(expected);
    expect(log.shown).toBe('Delete it? [yes/no] ');
    expect(log.closed).toBe(log.opened);
  });

  test('anything else is asked again: silence never confirms', async () => {
    const { prompt, log } = typing('\n', 'maybe\n', 'yess\n', 'yes\n');
    expect(await prompt.confirm('Sure?', never())).toBe(true);
    expect(log.shown.match(/Please answer yes or no/gu)).toHaveLength(3);
  });

  test('a choice is one of the keys', async () => {
    const { prompt, log } = typing('x\n', 'R\n');
    const choices = [
      { key: 'r', label: 'roll back' },
      { key: 's', label: 'stop' },
    ];
    expect(await prompt.choose('What now?', choices, never())).toBe('r');
    expect(log.shown).toContain('  r  roll back\n');
    expect(log.shown).toContain('Please answer one of r, s.');
  });

  test('text comes as typed', async () => {
    const { prompt } = typing('because of ünïcode\n');
    expect(await prompt.text('Why?', never())).toBe('because of ünïcode');
  });

  test('cannot steer the terminal', async () => {
    const { prompt, log } = typing('yes\n');
    await prompt.confirm('Delete \u001b[2Ktest\u202e?', never());
    expect(log.shown).toBe('Delete \uFFFD[2Ktest\uFFFD? [yes/no] ');
  });
});

describe('secrets', () => {
  test('are read without echo, bytes as typed, and the mode is restored', async () => {
    const { prompt, log } = typing(Buffer.from('pässX\u007f\u007f\u007fss\r'));
    const secret = await prompt.secret('token', 'Token:', never());
    if (secret === 'no-terminal') throw new Error('expected a secret');
    expect(secret.name).toBe('token');
    expect(secret.revealText((text) => text)).toBe('päss');
    expect(log.shown).toBe('Token: \n');
    expect(log.raw).toEqual([true, false]);
  });

  test('Ctrl-U starts over, Ctrl-D gives up, Ctrl-C interrupts', async () => {
    const { prompt } = typing('wrong\u0015right\n');
    const secret = await prompt.secret('a', 'A:', never());
    expect(secret !== 'no-terminal' && secret.revealText((text) => text)).toBe('right');
    expect(await typing('half\u0004').prompt.secret('a', 'A:', never())).toBe('no-terminal');
    const { prompt: other, log } = typing('x\u0003y\n');
    await other.secret('a', 'A:', never());
    expect(log.interrupts).toBe(1);
  });
});

describe('without an answer', () => {
  test('an aborted question rejects, and the terminal is put back', async () => {
    const stop = new AbortController();
    const { prompt, log } = typing();
    const pending = [prompt.confirm('Sure?', stop.signal), prompt.secret('a', 'A:', stop.signal)];
    setImmediate(() => stop.abort(new Error('enough')));
    for (const question of pending) await expect(question).rejects.toThrow('enough');
    expect(log.raw).toEqual([true, false]);
    expect(log.closed).toBe(2);
    await expect(prompt.text('?', AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });

  test('no terminal is said, by every method', async () => {
    const open = () => {
      throw new Error('must not be opened');
    };
    for (const prompt of [
      createTerminalPrompt({ interactive: false, interrupt: open, open }),
      createTerminalPrompt({ interactive: true, interrupt: open, open: () => undefined }),
    ]) {
      expect(await prompt.confirm('?', never())).toBe('no-terminal');
      expect(await prompt.choose('?', [], never())).toBe('no-terminal');
      expect(await prompt.secret('a', '?', never())).toBe('no-terminal');
      expect(await prompt.text('?', never())).toBe('no-terminal');
    }
  });
});

test('the real services read and load nothing before they are used', async () => {
  const services = createRealServices({
    environment: { HOME: '/no/such/home', KUBECONFIG: '/no/such/config' },
    inventory: [],
    interactive: false,
    kill: () => false,
    pid: 1,
  });
  expect(services.prompt.interactive).toBe(false);
  expect(services.clock.now()).toBeGreaterThan(0);
  await expect(services.kubernetes.identity()).rejects.toThrow('/no/such/config: it does not exist');
});
