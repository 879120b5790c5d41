import { describe, expect, test } from 'vitest';
import { type Disk, diagnosticsOf, header, readFrom, said, step } from './reading.ts';

const restart =
  'inputs:\n  name: {type: string, description: What to restart., required: true, min: 2}\n  token: {type: secret, description: A token., from: {env: RUNBOOK_SECRET_TOKEN}}\nsteps:\n  - {id: restart, uses: kube.restart, with: {name: "{{inputs.name}}", namespace: a, token: "{{inputs.token}}"}, timeout: 5m}\noutputs:\n  revision: "{{steps.restart.outputs.revision}}"\n  note: done\n';

/** A document that includes `uses` with `more` keys. */
function including(uses: string, more = 'with: {name: web}'): string {
  return `${header}steps:\n  - {id: other, uses: ${uses}, ${more}}\n`;
}

async function mistakes(main: string, disk: Partial<Disk> = {}) {
  const result = await readFrom({ links: {}, ...disk, files: { '/books/main.yaml': main, ...disk.files } });
  return diagnosticsOf(result).map((diagnostic) => {
    const { code, at, message, hint } = said(diagnostic);
    const characters = at.replace(/^\d+: /, '');
    return [diagnostic.location.file.path.split('/').at(-1), characters, code, message, hint];
  });
}

describe('where an included runbook may be', () => {
  const files = { '/books/restart.yaml': header + restart };

  test('beside the runbook, and in folders below', async () => {
    expect(await mistakes(including('./restart.yaml'), { files })).toEqual([]);
    const deep = { '/books/parts/restart.yaml': header + restart };
    expect(await mistakes(including('./parts/restart.yaml'), { files: deep })).toEqual([]);
  });

  test('shipped, by its bare name', async () => {
    const shipped = { '/shipped/restart.yaml': header + restart };
    expect(await mistakes(including('restart.yaml'), { files: shipped })).toEqual([]);
  });

  test('nowhere', async () => {
    expect(await mistakes(including('./restrat.yaml'), { files })).toEqual([
      [
        'main.yaml',
        './restrat.yaml',
        'include-missing',
        'there is no file ./restrat.yaml',
        'it is looked for as /books/restrat.yaml',
      ],
    ]);
  });

  test('beside the runbook, named as if it were shipped', async () => {
    expect(await mistakes(including('restart.yaml'), { files })).toEqual([
      [
        'main.yaml',
        'restart.yaml',
        'include-missing',
        'no runbook called restart.yaml is shipped',
        'for the one beside this file, write ./restart.yaml',
      ],
    ]);
  });

  test.each([
    ['../secret.yaml', ''],
    ['./parts/../../secret.yaml', ''],
    ['/secret.yaml', ''],
    ['./link.yaml', ' through a symbolic link'],
  ])('not outside the folder: %s', async (uses, how) => {
    const links = { '/books/link.yaml': '/secret.yaml' };
    expect(await mistakes(including(uses), { files: { '/secret.yaml': header + restart }, links })).toEqual([
      [
        'main.yaml',
        uses,
        'include-outside',
        `${uses} leaves the folder of this runbook${how}`,
        'keep runbooks that include each other in one folder, or use a shipped one by its bare name',
      ],
    ]);
  });

  test('a shipped one does not lead back to the folder of the one that includes it', async () => {
    const shipped = { '/shipped/outer.yaml': including('./restart.yaml'), ...files };
    expect(await mistakes(including('outer.yaml', 'name: other'), { files: shipped })).toEqual([
      [
        'outer.yaml',
        './restart.yaml',
        'include-missing',
        'there is no file ./restart.yaml',
        'it is looked for as /shipped/restart.yaml',
      ],
    ]);
  });

  test('a link inside the folder is followed', async () => {
    const links = { '/books/link.yaml': '/books/restart.yaml' };
    expect(await mistakes(including('./link.yaml'), { files, links })).toEqual([]);
  });
});

describe('circles', () => {
  test('show every edge', async () => {
    const files = {
      '/books/a.yaml': including('./b.yaml', 'name: a'),
      '/books/b.yaml': including('./main.yaml', 'name: b'),
    };
    const result = await readFrom({
      files: { ...files, '/books/main.yaml': including('./a.yaml', 'name: m') },
    });
    const [diagnostic, ...others] = diagnosticsOf(result);
    expect(others).toEqual([]);
    expect(diagnostic && said(diagnostic)).toMatchObject({
      code: 'include-cycle',
      message: 'runbooks include each other in a circle: main.yaml → a.yaml → b.yaml → main.yaml',
    });
    expect(diagnostic?.location.file.path).toBe('/books/b.yaml');
    expect(diagnostic?.related?.map(({ location, message }) => [location.file.path, message])).toEqual([
      ['/books/main.yaml', 'main.yaml includes a.yaml'],
      ['/books/a.yaml', 'a.yaml includes b.yaml'],
    ]);
  });

  test('of one runbook with itself', async () => {
    expect(await mistakes(including('./main.yaml', 'name: m'))).toMatchObject([
      [
        'main.yaml',
        './main.yaml',
        'include-cycle',
        'runbooks include each other in a circle: main.yaml → main.yaml',
        'move what both need into a runbook that includes neither',
      ],
    ]);
  });

  test('not when two steps include the same runbook', async () => {
    const twice = `${header}steps:\n  - {id: one, uses: ./restart.yaml, with: {name: web}}\n  - {id: two, uses: ./restart.yaml, with: {name: api}}\n`;
    expect(await mistakes(twice, { files: { '/books/restart.yaml': header + restart } })).toEqual([]);
  });
});

describe('what an included runbook is given', () => {
  const files = { '/books/restart.yaml': header + restart };
  const say = (more: string) => mistakes(including('./restart.yaml', more), { files });

  test('an input it does not have', async () => {
    expect(await say('with: {name: web, nmae: api}')).toEqual([
      ['main.yaml', 'nmae', 'unknown-key', './restart.yaml has no input "nmae"', 'did you mean "name"?'],
    ]);
  });

  test('not what it needs', async () => {
    expect(await say('name: Restart')).toEqual([
      [
        'main.yaml',
        './restart.yaml',
        'missing-key',
        './restart.yaml needs the input "name"',
        'add it under "with" — What to restart.',
      ],
    ]);
  });

  test('a value that the input does not take', async () => {
    expect(await say('with: {name: w}')).toEqual([
      [
        'main.yaml',
        'w',
        'bad-value',
        'the value of "name" is less than 2 characters',
        'at least 2 characters',
      ],
    ]);
  });

  test('a secret written out', async () => {
    expect(await say('with: {name: web, token: hunter2}')).toEqual([
      [
        'main.yaml',
        'hunter2',
        'secret-literal',
        'the secret "token" is written in the runbook',
        'hand on a secret input: "{{inputs.name}}"',
      ],
    ]);
  });

  test('a key that belongs inside it', async () => {
    expect(await say('with: {name: web}, timeout: 5m')).toEqual([
      [
        'main.yaml',
        'timeout',
        'misplaced-key',
        '"timeout" does not belong to a step that includes another runbook',
        'write it in the steps of that runbook (./restart.yaml)',
      ],
    ]);
  });
});

describe('what an included runbook gives', () => {
  const files = { '/books/restart.yaml': header + restart };
  const use = (text: string) =>
    mistakes(`${including('./restart.yaml')}  - {id: say, uses: note, with: {text: a}, when: ${text}}\n`, {
      files,
    });

  test('its outputs, with their types', async () => {
    expect(await use('steps.other.outputs.revision == "3"')).toEqual([]);
    expect(await use('steps.other.outputs.revision > 3')).toMatchObject([
      ['main.yaml', 'steps.other.outputs.revision > 3', 'cel-type', expect.any(String), expect.any(String)],
    ]);
    expect(await use('steps.other.outputs.revison == "3"')).toMatchObject([
      ['main.yaml', 'revison', 'cel-unknown-field', expect.any(String), 'did you mean "revision"?'],
    ]);
  });

  test('its steps to nobody', async () => {
    expect(await use('steps.restart.state == "applied"')).toMatchObject([
      ['main.yaml', 'restart', 'unknown-step', 'there is no step "restart"', 'steps: other, say'],
    ]);
  });

  test('a change where only reading steps may stand', async () => {
    const main = `${header}preconditions:\n  - {id: other, uses: ./restart.yaml, with: {name: web}}\n${step}`;
    expect(await mistakes(main, { files })).toMatchObject([
      [
        'main.yaml',
        './restart.yaml',
        'change-in-read-only',
        './restart.yaml changes something (step "restart"), but "preconditions" may only look',
        'move it to "steps", or use a step type that reads',
      ],
    ]);
  });

  test('its mistakes once, however often it is included, and none that follow from them', async () => {
    const broken = { '/books/restart.yaml': `${header}rsik: low\n${restart}` };
    const main = `${header}steps:\n  - {id: one, uses: ./restart.yaml, with: {anything: web}}\n  - {id: two, uses: ./restart.yaml, when: steps.one.outputs.any == 1}\n`;
    expect(await mistakes(main, { files: broken })).toMatchObject([
      [
        'restart.yaml',
        'rsik',
        'unknown-key',
        'there is no key "rsik" in the runbook',
        'did you mean "risk"?',
      ],
    ]);
  });
});
