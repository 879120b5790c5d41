import { describe, expect, test } from 'vitest';
import { diagnosticsOf, header, read, readFrom, said, step } from './reading.ts';

const whole = `${header}risk: high
locks: ["{{inputs.service.namespace}}/{{inputs.service.resource}}"]
inputs:
  service: {type: service, description: Which one., required: true}
  timeout: {type: duration, description: How long., default: 15m}
preconditions:
  - id: healthy
    uses: kube.pods
    with: {namespace: "{{inputs.service.namespace}}", selector: "{{inputs.service.selector}}"}
    expect: outputs.pods.all(p, p.ready)
steps:
  - id: restart
    name: Restart {{inputs.service.name}}
    uses: kube.restart
    with: {name: "{{inputs.service.resource}}", namespace: "{{inputs.service.namespace}}"}
    timeout: "{{inputs.timeout}}"
    confirm: Restart {{inputs.service.title}} now?
    retry: {attempts: 3, delay: 2m}
    onFailure: rollback
    verify:
      - {id: look, uses: note, with: {text: "{{steps.restart.outputs.revision}}"}}
    rollback:
      - {id: back, uses: run, with: {command: [undo, "{{json steps.restart.before}}"], effect: change}, timeout: 1m}
  - id: each
    when: steps.restart.state == "applied"
    forEach: steps.healthy.outputs.pods
    as: pod
    key: pod.name
    parallel: 4
    steps:
      - {id: say, uses: note, with: {text: "{{pod.name}}"}}
      - {id: more, uses: run, with: {command: [ls], effect: read}, when: steps.say.outputs.text != ""}
verifications:
  - id: still
    uses: kube.pods
    with: {namespace: a, selector: b}
    expect: outputs.count == steps.healthy.outputs.count && steps.say.outputs["x"].text == "x"
    until: {within: 5m, every: 5s}
rollback:
  - {id: settled, uses: note, with: {text: "{{steps.restart.state}}"}}
outputs:
  pods: "{{steps.still.outputs.pods}}"
  next: look at {{inputs.service.name}}
`;

describe('a runbook', () => {
  test('becomes data, with the effect of every step and the place where it stands', async () => {
    const result = await read(whole);
    expect(diagnosticsOf(result)).toEqual([]);
    if (!result.ok) return;
    const { files, inputLocations, ...runbook } = result.value;
    expect(files.map(({ path }) => path)).toEqual(['/books/main.yaml']);
    expect([...inputLocations.keys()]).toEqual(['service', 'timeout']);
    expect(runbook).toMatchObject({
      name: 'demo',
      title: 'Demo',
      description: 'A demonstration.',
      risk: 'high',
      locks: ['{{inputs.service.namespace}}/{{inputs.service.resource}}'],
      outputs: { pods: '{{steps.still.outputs.pods}}', next: 'look at {{inputs.service.name}}' },
    });
    expect(runbook.inputs.timeout).toEqual({ type: 'duration', description: 'How long.', default: '15m' });
    expect(runbook.steps[0]).toEqual({
      kind: 'step',
      id: 'restart',
      name: 'Restart {{inputs.service.name}}',
      uses: 'kube.restart',
      effect: 'change',
      with: { name: '{{inputs.service.resource}}', namespace: '{{inputs.service.namespace}}' },
      timeout: '{{inputs.timeout}}',
      confirm: 'Restart {{inputs.service.title}} now?',
      retry: { attempts: 3, delay: '2m', backoff: 2, maxDelay: '2m' },
      onFailure: 'rollback',
      at: 'main.yaml:16:5',
      verify: [
        {
          kind: 'step',
          id: 'look',
          uses: 'note',
          effect: 'read',
          with: { text: '{{steps.restart.outputs.revision}}' },
          at: 'main.yaml:25:9',
        },
      ],
      rollback: [expect.objectContaining({ id: 'back', effect: 'change', timeout: '1m' })],
    });
    expect(runbook.steps[1]).toMatchObject({
      kind: 'group',
      id: 'each',
      when: 'steps.restart.state == "applied"',
      forEach: { items: 'steps.healthy.outputs.pods', as: 'pod', key: 'pod.name', parallel: 4 },
      parallel: 1,
      children: [{ id: 'say' }, { id: 'more', effect: 'read' }],
    });
    expect(runbook.verifications[0]).toMatchObject({ until: { within: '5m', every: '5s' } });
    expect(runbook.rollback[0]).toMatchObject({ id: 'settled' });
  });

  test.each([
    ['', 1],
    ['parallel: false', 1],
    ['parallel: true', 0],
    ['parallel: 3', 3],
  ])('runs %j steps of a group at once', async (key, parallel) => {
    const result = await read(
      `${header}steps:\n  - id: all\n    ${key}\n    steps:\n      - {id: say, uses: note, with: {text: a}}\n`,
    );
    expect(result.ok && result.value.steps[0]).toMatchObject({ kind: 'group', parallel });
  });

  test('that is included becomes one step with everything inside', async () => {
    const inner = `${header}risk: high\nlocks: [a]\ninputs:\n  x: {type: string, description: d}\npreconditions:\n  - {id: pre, uses: note, with: {text: "{{inputs.x}}"}}\n${step}outputs:\n  y: "{{steps.say.outputs.text}}"\n`;
    const main = `${header}steps:\n  - {id: other, name: Other, uses: ./inner.yaml, with: {x: "1"}}\n`;
    const result = await readFrom({ files: { '/books/main.yaml': main, '/books/inner.yaml': inner } });
    expect(diagnosticsOf(result)).toEqual([]);
    if (!result.ok) return;
    expect(result.value.files.map(({ path }) => path)).toEqual(['/books/main.yaml', '/books/inner.yaml']);
    expect(result.value.risk).toBe('medium');
    expect(result.value.steps).toEqual([
      {
        kind: 'include',
        id: 'other',
        name: 'Other',
        at: 'main.yaml:6:5',
        path: '/books/inner.yaml',
        title: 'Demo',
        with: { x: '1' },
        inputs: { x: { type: 'string', description: 'd' } },
        preconditions: [expect.objectContaining({ id: 'pre', at: 'inner.yaml:10:5' })],
        children: [expect.objectContaining({ id: 'say' })],
        verifications: [],
        rollback: [],
        outputs: { y: '{{steps.say.outputs.text}}' },
        locks: ['a'],
        risk: 'high',
      },
    ]);
  });
});

describe('layers', () => {
  test('bad YAML hides what the schema would say', async () => {
    const found = diagnosticsOf(await read('rsik: low\nsteps: &x\n  - {id: In, uses: nope}\n'));
    expect(found.map(({ code }) => code)).toEqual(['yaml-anchor']);
  });

  test('a bad schema hides what references would say; everything of the layer comes at once, in order', async () => {
    const found = diagnosticsOf(
      await read(
        `${header}rsik: low\nsteps:\n  - {id: In, uses: nope, when: nothing.there}\n  - {id: b, uses: note, with: {txt: a}}\n`,
      ),
    );
    expect(
      found.map(({ code, location }) => [code, location.file.positionAt(location.range.start).line]),
    ).toEqual([
      ['unknown-key', 5],
      ['bad-id', 7],
      ['unknown-step-type', 7],
      ['unknown-key', 8],
    ]);
  });

  test('a step type may be called what every object has', async () => {
    const found = diagnosticsOf(
      await read(`${header}steps:\n  - {id: a, uses: constructor, text: b}\n  - {id: b, uses: __proto__}\n`),
    );
    expect(found.map(({ code }) => code)).toEqual(['unknown-step-type', 'unknown-key', 'unknown-step-type']);
  });

  test('all mistakes of meaning come at once, in order', async () => {
    const found = diagnosticsOf(
      await read(
        `${header}inputs:\n  a: {type: integer, description: d, default: x}\nsteps:\n  - {id: one, uses: note, with: {text: "{{inputs.b}} {{steps.two.state}}"}, when: inputs.c == 1}\n  - {id: two, uses: kube.restart, with: {name: a, namespace: b}}\n  - {id: two, uses: note, with: {text: a}}\n`,
      ),
    );
    expect(found.map((diagnostic) => said(diagnostic).at.replace(/^\d+: /, ''))).toEqual([
      'x',
      'b',
      'two',
      'c',
      'kube.restart',
      'two',
    ]);
  });

  test('a file that cannot be read is a diagnostic too', async () => {
    const found = diagnosticsOf(await readFrom({ files: {} }, { path: '/books/none.yaml' }));
    expect(found).toMatchObject([
      {
        code: 'unreadable',
        message: 'the file cannot be read: there is no such file',
        location: { file: { path: '/books/none.yaml' } },
      },
    ]);
  });
});
