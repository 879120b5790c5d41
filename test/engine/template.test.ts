import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { descend, renderForDisplay, renderTemplate, renderValue } from '../../src/engine/template.ts';
import type { Lookup, Value } from '../../src/engine/value.ts';

const scope: Value = {
  inputs: {
    name: 'nvcf-api',
    count: 3,
    ratio: 0.5,
    on: true,
    empty: '',
    nothing: null,
    list: ['a', 'b'],
    labels: { 'app.kubernetes.io/name': 'api', 'a b': 'blank' },
    html: `<&"'>`,
    token: Secret.fromText('token', 'hvs.canary'),
    user: Secret.fromText('user', 'admin'),
  },
  run: { id: '20260101-abc' },
  item: 'nvcf',
};

const lookup: Lookup = (path) => {
  if (path[0] === 'steps') return { state: 'unknown', after: [path[1] ?? ''] };
  const value = descend(scope, path);
  return value === undefined
    ? { state: 'missing', why: `${path.join('.')} does not exist` }
    : { state: 'known', value };
};

function secretText(value: unknown): string {
  return value instanceof Secret ? value.revealText((text) => text) : 'not a secret';
}

describe('renderTemplate', () => {
  test.each<[string, unknown]>([
    ['plain', 'plain'],
    ['', ''],
    ['{{inputs.count}}', 3],
    ['{{inputs.on}}', true],
    ['{{inputs.list}}', ['a', 'b']],
    ['{{inputs.nothing}}', null],
    ['{{inputs.empty}}', ''],
    ['{{inputs.name}}-{{inputs.count}}/{{inputs.ratio}}/{{inputs.on}}', 'nvcf-api-3/0.5/true'],
    ['<{{inputs.html}}>', `<<&"'>>`],
    ['{{inputs.labels.[app.kubernetes.io/name]}}!', 'api!'],
    ['{{inputs.labels.[a b]}}', 'blank'],
    ['{{inputs.list.[1]}}', 'b'],
    ['{{upper inputs.name}}', 'NVCF-API'],
    ['x={{json inputs.list}}', 'x=["a","b"]'],
    ['\\{{ .status }}', '{{ .status }}'],
    ['go \\{{range .items}}{{inputs.name}}\\{{end}}', 'go {{range .items}}nvcf-api{{end}}'],
    ['C:\\dir\\{{inputs.name}}', 'C:\\dir{{inputs.name}}'],
  ])('%j gives %j', (text, expected) => {
    expect(renderTemplate(text, lookup)).toEqual({ state: 'known', value: expected });
  });

  test.each([
    ['a {{inputs.empty}}', 'inputs.empty is empty, and would leave a hole in the text'],
    ['a {{inputs.nothing}}', 'inputs.nothing is null, and would leave a hole in the text'],
    ['a {{inputs.list}}', 'inputs.list is a list, which does not render as text'],
    ['a {{inputs.labels}}', 'inputs.labels is an object, which does not render as text'],
    ['{{inputs.nope}}', 'inputs.nope does not exist'],
    ['{{inputs.a}} {{inputs.b}} {{inputs.a}}', 'inputs.a does not exist; inputs.b does not exist'],
    ['{{inputs.constructor}}', 'inputs.constructor does not exist'],
    ['{{inputs.__proto__}}', 'inputs.__proto__ does not exist'],
    ['{{inputs.name.length}}', 'inputs.name.length does not exist'],
    ['{{inputs.token.name}}', 'inputs.token.name does not exist'],
    ['{{lower inputs.count}}', 'inputs.count is not text'],
    ['{{lower inputs.token}}', 'inputs.token is not text'],
    ['{{json inputs}}', 'inputs holds a secret, which cannot become JSON text'],
    ['{{steps.a.outputs.x}} {{inputs.nope}}', 'inputs.nope does not exist'],
  ])('%j fails: %s', (text, why) => {
    expect(renderTemplate(text, lookup)).toEqual({ state: 'missing', why });
  });

  test('what is not known yet names what it waits for, once', () => {
    expect(
      renderTemplate('{{steps.a.outputs.x}} {{steps.b.outputs.y}} {{steps.a.outputs.z}}', lookup),
    ).toEqual({
      state: 'unknown',
      after: ['a', 'b'],
    });
  });

  test('text that mixes in a secret is a secret', () => {
    const rendered = renderTemplate('Basic {{inputs.user}}:{{inputs.token}}@{{inputs.name}}', lookup);
    const value = rendered.state === 'known' ? rendered.value : undefined;
    expect(secretText(value)).toBe('Basic admin:hvs.canary@nvcf-api');
    expect(JSON.stringify(rendered)).toBe('{"state":"known","value":"«secret user+token»"}');
    const exact = renderTemplate('{{inputs.token}}', lookup);
    expect(exact.state === 'known' && secretText(exact.value)).toBe('hvs.canary');
  });

  test('literal text comes back unchanged, and scalars in text as JSON writes them', () => {
    const text = fc.string({ maxLength: 30 }).filter((candidate) => !candidate.includes('{{'));
    const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.string({ minLength: 1, maxLength: 10 }));
    fc.assert(
      fc.property(text, text, scalar, (before, after, value) => {
        fc.pre(!before.endsWith('\\') && !before.endsWith('{') && !after.startsWith('}'));
        expect(renderTemplate(before, lookup)).toEqual({ state: 'known', value: before });
        const rendered = renderTemplate(`${before}x{{v}}x${after}`, () => ({ state: 'known', value }));
        expect(rendered).toEqual({ state: 'known', value: `${before}x${value}x${after}` });
      }),
    );
  });

  test('deleting any variable is an error, never a hole', () => {
    const keys = ['a', 'b', 'c', 'd'];
    fc.assert(
      fc.property(fc.constantFrom(...keys), (gone) => {
        const found: Lookup = ([key = '']) =>
          key === gone ? { state: 'missing', why: `no ${key}` } : { state: 'known', value: key };
        expect(renderTemplate('{{a}} {{b}}{{c}} {{d}}', found)).toEqual({
          state: 'missing',
          why: `no ${gone}`,
        });
      }),
    );
  });
});

describe('renderValue', () => {
  test('renders every string of a tree and keeps the rest', () => {
    const tree = { a: ['{{inputs.count}}', 1, null], 'k{{x}}': { b: 'v {{item}}' } };
    expect(renderValue(tree, lookup)).toEqual({
      state: 'known',
      value: { a: [3, 1, null], 'k{{x}}': { b: 'v nvcf' } },
    });
  });

  test('is unknown or missing when a part is; missing wins and names all', () => {
    expect(renderValue({ a: 'x', b: ['{{steps.s.outputs.x}}'] }, lookup)).toEqual({
      state: 'unknown',
      after: ['s'],
    });
    expect(renderValue({ a: '{{inputs.p}}', b: ['{{steps.s.outputs.x}}', '{{inputs.q}}'] }, lookup)).toEqual({
      state: 'missing',
      why: 'inputs.p does not exist; inputs.q does not exist',
    });
  });

  test('a key named __proto__ stays a key', () => {
    const tree = JSON.parse('{"__proto__": "{{item}}"}') as Record<string, string>;
    const rendered = renderValue(tree, lookup);
    expect(JSON.stringify(rendered)).toBe('{"state":"known","value":{"__proto__":"nvcf"}}');
    expect(({} as { nvcf?: unknown }).nvcf).toBeUndefined();
  });
});

describe('renderForDisplay', () => {
  test('shows what is unknown, missing or secret for what it is', () => {
    const tree = {
      name: 'pod-{{steps.restart.outputs.revision}}-{{inputs.name}}',
      exact: '{{steps.restart.outputs.revision}}',
      other: ['{{steps.scale.outputs.x}}', '{{inputs.count}}', 7],
      token: 'Bearer {{inputs.token}}',
      bare: '{{inputs.token}}',
      gone: '{{inputs.gone}}',
    };
    expect(renderForDisplay(tree, lookup)).toEqual({
      value: {
        name: 'pod-‹known after restart›-nvcf-api',
        exact: '‹known after restart›',
        other: ['‹known after scale›', 3, 7],
        token: 'Bearer «secret token»',
        bare: '«secret token»',
        gone: '‹missing: inputs.gone does not exist›',
      },
      after: ['restart', 'scale'],
    });
  });
});
