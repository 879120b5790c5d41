import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTemplate } from '../../src/engine/template.ts';

describe('parseTemplate', () => {
  test.each<[string, string[], boolean]>([
    ['plain', [], false],
    ['', [], false],
    ['{{inputs.x}}', ['inputs.x'], true],
    ['{{ inputs.x }}', ['inputs.x'], true],
    ['{{inputs.x}} ', ['inputs.x'], false],
    [
      'a {{inputs.x}}-{{steps.restart.outputs.revision}}',
      ['inputs.x', 'steps.restart.outputs.revision'],
      false,
    ],
    ['{{inputs.labels.[app.kubernetes.io/name]}}', ['inputs.labels.app.kubernetes.io/name'], true],
    ['{{steps.all.outputs.nvcf-api.revision}}', ['steps.all.outputs.nvcf-api.revision'], true],
    ['{{inputs.list.[0]}}', ['inputs.list.0'], true],
    ['{{lower inputs.x}}', ['inputs.x'], true],
    ['line\nline {{\n  inputs.x\n}} end', ['inputs.x'], false],
    ['\\{{ .status }} and {{item}}', ['item'], false],
    ['a } b }} c', [], false],
    ['{"json": {"a": 1}}', [], false],
  ])('%j reads %j', (text, references, exact) => {
    const parsed = parseTemplate(text);
    expect(parsed).toMatchObject({ ok: true, exact });
    expect(parsed.ok && parsed.references.map(({ path }) => path.join('.'))).toEqual(references);
  });

  test('references know their place in the text', () => {
    const text = 'é\r\na {{ inputs.x }}\n{{\r\n  json   steps.[a b].outputs }}';
    const parsed = parseTemplate(text);
    expect(parsed.ok && parsed.references.map(({ start, end }) => text.slice(start, end))).toEqual([
      'inputs.x',
      'steps.[a b].outputs',
    ]);
  });

  test.each([
    ['{{{inputs.x}}}', '{{{', /^\{\{\{ is not part/],
    ['a {{inputs.x', '{{inputs.x', /never closed/],
    ['a {{inputs.x\nb', '{{inputs.x', /never closed/],
    ['{{inputs.x {{inputs.y}}', '{{inputs.x ', /never closed/],
    ['{{inputs.x}}}', '}}}', /one \} too many/],
    ['{{}}', '{{}}', /empty expression/],
    ['a {{#if inputs.x}}b{{/if}}', '{{#if inputs.x}}', /blocks such as/],
    ['{{else}}', '{{else}}', /blocks such as/],
    ['{{^x}}', '{{^x}}', /blocks such as/],
    ['{{! note }}', '{{! note }}', /comments do not exist/],
    ['{{> part}}', '{{> part}}', /partials do not exist/],
    ['{{&inputs.x}}', '{{&inputs.x}}', /& is not part/],
    ['{{* deco}}', '{{* deco}}', /decorators do not exist/],
    ['{{~inputs.x~}}', '{{~inputs.x~}}', /~ is not part/],
    ['{{(lower inputs.x)}}', '{{(lower inputs.x)}}', /no nested calls/],
    ['{{lower (lower inputs.x)}}', '{{lower (lower inputs.x)}}', /no nested calls/],
    ['{{../inputs.x}}', '../inputs.x', /names start at/],
    ['{{this.inputs.x}}', 'this.inputs.x', /names start at/],
    ['{{./inputs.x}}', './inputs.x', /names start at/],
    ['{{.}}', '.', /constant|names start at/],
    ['{{@root.inputs.x}}', '@root.inputs.x', /names start at/],
    ['{{inputs/x}}', 'inputs/x', /separated by dots/],
    ['{{"inputs.x"}}', '"inputs.x"', /a constant/],
    ['{{1}}', '1', /a constant/],
    ['{{true}}', 'true', /a constant/],
    ['{{inputs.x inputs.y}}', '{{inputs.x inputs.y}}', /no function/],
    ['{{lowr inputs.x}}', '{{lowr inputs.x}}', /"lowr" is no function/],
    ['{{lower inputs.x inputs.y}}', '{{lower inputs.x inputs.y}}', /takes one reference/],
    ['{{lower inputs.x case=1}}', '{{lower inputs.x case=1}}', /not a reference/],
    ['{{inputs.x as |y|}}', '{{inputs.x as |y|}}', /not a reference/],
    ['{{inputs..x}}', '{{inputs..x}}', /./],
    ['{{inputs.x | upper}}', '{{inputs.x | upper}}', /not a reference/],
    ['{{inputs.x == 1}}', '{{inputs.x == 1}}', /not a reference/],
    ['{{inputs.[x}}', '{{inputs.[x}}', /never closed/],
  ])('%j is refused at %j', (text, at, message) => {
    const parsed = parseTemplate(text);
    if (parsed.ok) throw new Error('accepted');
    expect(text.slice(parsed.start, parsed.end)).toBe(at);
    expect(parsed.message).toMatch(message);
    expect(parsed.message).not.toMatch(/Expecting|Parse error/);
  });

  test.each([
    ['{{inputs.list.0}}', 'an element of a list is written {{inputs.list.[0]}}'],
    ['{{inputs.list[12].x}}', 'an element of a list is written {{inputs.list.[12].x}}'],
    ['{{inputs.x | upper}}', 'write {{inputs.name}} or {{steps.id.outputs.name}}'],
  ])('%s: %s', (text, hint) => {
    expect(parseTemplate(text)).toMatchObject({ ok: false, hint });
  });

  test('a misspelt function is recognised', () => {
    expect(parseTemplate('{{lowr inputs.x}}')).toMatchObject({ hint: 'did you mean "lower"?' });
  });

  test('never throws, and every problem lies inside the text', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '{',
      '}',
      '\\',
      '[',
      ']',
      'inputs.x',
      '#',
      '~',
      '.',
      '/',
      ' ',
      '\n',
      'é',
      '"',
      '(',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const text = pieces.join('');
        const parsed = parseTemplate(text);
        const places = parsed.ok ? parsed.references : [parsed];
        for (const { start, end } of places) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(text.length);
        }
      }),
    );
  });
});
