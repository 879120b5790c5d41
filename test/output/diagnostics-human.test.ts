import { describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/engine/diagnostic.ts';
import { formatDiagnostic, formatHuman } from '../../src/output/diagnostics-human.ts';
import { diagnosticsOf, header, read, readFrom } from '../engine/read/reading.ts';
import { diagnosticAt } from './diagnostics.ts';

/** What is printed, without the summary; `/books/` is left out. */
function printed(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map((diagnostic) => formatDiagnostic(diagnostic, false).replaceAll('/books/', ''))
    .join('\n');
}

async function frames(text: string): Promise<string> {
  return printed(diagnosticsOf(await read(header + text)));
}

const say = 'steps:\n  - {id: say, uses: note, with: {text: hello}}\n';

describe('whole frames', () => {
  test('of a misspelt key', async () => {
    expect(
      await frames(`rolback: []\n${say}`),
    ).toBe(`main.yaml:5:1: error[unknown-key]: there is no key "rolback" in the runbook
  5 | rolback: []
    | ^^^^^^^
hint: did you mean "rollback"?
`);
  });

  test('of a missing key', async () => {
    expect(await frames('steps:\n  - id: pods\n    uses: kube.pods\n    with: {namespace: a}\n')).toBe(
      `main.yaml:8:5: error[missing-key]: the key "selector" is missing in "with" of kube.pods
  8 |     with: {namespace: a}
    |     ^^^^
hint: add selector: … — Which ones.
`,
    );
  });

  test('of a value of the wrong type', async () => {
    expect(
      await frames(
        'steps:\n  - id: pods\n    uses: kube.pods\n    with: {namespace: a, selector: b, limit: five}\n',
      ),
    ).toBe(
      `main.yaml:8:46: error[wrong-type]: "limit" takes a whole number, not the text "five"
  8 |     with: {namespace: a, selector: b, limit: five}
    |                                              ^^^^
hint: write digits, without a unit
`,
    );
  });

  test('of a quote that is never closed', async () => {
    expect(await frames('steps:\n  - {id: say, uses: note, with: {text: "hello}}\n')).toBe(
      `main.yaml:6:40: error[yaml-syntax]: this text is never closed with "
  6 |   - {id: say, uses: note, with: {text: "hello}}
    |                                        ^^^^^^^^
hint: end it with ", or leave the quotes out
`,
    );
  });

  test('of a duplicate key, with the first one', async () => {
    expect(
      await frames('risk: low\nrisk: high\n'),
    ).toBe(`main.yaml:6:1: error[duplicate-key]: the key "risk" stands here a second time
  6 | risk: high
    | ^^^^
  main.yaml:5:1: the first one
  5 | risk: low
    | ^^^^
hint: keep one of the two
`);
  });

  test('of an unknown input in a template inside a folded text', async () => {
    const text =
      'inputs:\n  name: {type: string, description: d}\nsteps:\n  - id: say\n    uses: note\n    with:\n      text: >-\n        one\n        and {{inputs.nmae}}\n';
    expect(await frames(text)).toBe(`main.yaml:13:22: error[unknown-input]: there is no input "nmae"
  13 |         and {{inputs.nmae}}
     |                      ^^^^
hint: did you mean "name"?
`);
  });

  test('of an unknown output in CEL', async () => {
    expect(
      await frames(
        'steps:\n  - id: pods\n    uses: kube.pods\n    with: {namespace: a, selector: b}\n    expect: outputs.pods.all(p, p.raedy)\n',
      ),
    ).toBe(
      `main.yaml:9:35: error[cel-unknown-field]: p has no field "raedy"
  9 |     expect: outputs.pods.all(p, p.raedy)
    |                                   ^^^^^
hint: did you mean "ready"?
`,
    );
  });

  test('of a step that runs later, with the place where it stands', async () => {
    const text =
      'steps:\n  - {id: say, uses: note, with: {text: "{{steps.last.outputs.text}}!"}}\n  - {id: last, uses: note, with: {text: a}}\n';
    expect(
      await frames(text),
    ).toBe(`main.yaml:6:49: error[later-step]: step "last" cannot be read here: it runs later than this step
  6 |   - {id: say, uses: note, with: {text: "{{steps.last.outputs.text}}!"}}
    |                                                 ^^^^
  main.yaml:7:10: it is declared here
  7 |   - {id: last, uses: note, with: {text: a}}
    |          ^^^^
hint: move it up, or this step down
`);
  });

  test('of a circle of includes, with every edge', async () => {
    const main = `${header}steps:\n  - {id: a, uses: ./other.yaml}\n`;
    const other = `${header}steps:\n  - {id: b, uses: ./main.yaml}\n`;
    const result = await readFrom({ files: { '/books/main.yaml': main, '/books/other.yaml': other } });
    expect(printed(diagnosticsOf(result))).toBe(
      `other.yaml:6:19: error[include-cycle]: runbooks include each other in a circle: main.yaml → other.yaml → main.yaml
  6 |   - {id: b, uses: ./main.yaml}
    |                   ^^^^^^^^^^^
  main.yaml:6:19: main.yaml includes other.yaml
  6 |   - {id: a, uses: ./other.yaml}
    |                   ^^^^^^^^^^^^
hint: move what both need into a runbook that includes neither
`,
    );
  });

  test('of a warning', async () => {
    expect(
      await frames('steps:\n  - {id: restart, uses: kube.restart, with: {name: a, namespace: b}}\n'),
    ).toBe(
      `main.yaml:6:25: warning[missing-timeout]: kube.restart changes something and has no timeout of its own
  6 |   - {id: restart, uses: kube.restart, with: {name: a, namespace: b}}
    |                         ^^^^^^^^^^^^
hint: say how long it may take: timeout: 5m
`,
    );
  });

  test('of an invisible character', async () => {
    expect(await frames('risk: low # \u202eevil\n')).toBe(
      `main.yaml:5:13: error[bidi-character]: the invisible character U+202E, which changes the order in which text is shown
  5 | risk: low # \\u202eevil
    |             ^^^^^^
hint: remove it, or write \\u202e inside double quotes
`,
    );
  });
});

describe('a frame', () => {
  const lines = (marked: string) => formatDiagnostic(diagnosticAt(marked), false).split('\n').slice(1, 3);

  test('aligns its carets below wide characters, emoji and combining marks', () => {
    expect(lines('日本 «wrong»')).toEqual(['  1 | 日本 wrong', '    |      ^^^^^']);
    expect(lines('«日本» right')).toEqual(['  1 | 日本 right', '    | ^^^^']);
    expect(lines('🚀👩‍🚀 «wrong»')).toEqual(['  1 | 🚀👩\\u200d🚀 wrong', '    |              ^^^^^']);
    expect(lines('cafe\u0301 «wrong»')).toEqual(['  1 | cafe\u0301 wrong', '    |      ^^^^^']);
  });

  test('shows tabs as blanks and control characters as escapes', () => {
    expect(lines('\ta\u001b[31m «wrong»')).toEqual(['  1 |   a\\x1b[31m wrong', '    |             ^^^^^']);
  });

  test('cuts a long line around the place', () => {
    const [source = '', carets = ''] = lines(`${'a'.repeat(5000)}«wrong»${'b'.repeat(5000)}`);
    expect(source).toBe(`  1 | …${'a'.repeat(30)}wrong${'b'.repeat(65)}…`);
    expect(carets).toBe(`    |  ${' '.repeat(30)}^^^^^`);
  });

  test('of several lines marks the first', () => {
    expect(lines('a: «one\n  two»\n')).toEqual(['  1 | a: one', '    |    ^^^']);
  });

  test('of no characters marks the place', () => {
    expect(lines('a:«»\n')).toEqual(['  1 | a:', '    |   ^']);
  });

  test('is left out where there is nothing to show', () => {
    expect(formatDiagnostic(diagnosticAt('«»'), false)).toBe(
      'book.yaml:1:1: error[some-code]: something is wrong\n',
    );
  });
});

describe('all of them', () => {
  test('end with a count', () => {
    const [error, warning] = [diagnosticAt('«a»'), diagnosticAt('«a»', { severity: 'warning' })];
    const last = (diagnostics: readonly Diagnostic[]) =>
      formatHuman(diagnostics, false).trimEnd().split('\n').at(-1);
    expect(last([error])).toBe('1 error');
    expect(last([error, error, warning])).toBe('2 errors, 1 warning');
    expect(last([warning, warning])).toBe('2 warnings');
    expect(formatHuman([], false)).toBe('');
  });

  test('let nothing of a document act on the terminal', () => {
    const hostile = diagnosticAt(
      '«a\u001b]0;x\u0007»',
      { message: 'a \u001b[2J b', hint: 'c\u202e' },
      'b\u001b.yaml',
    );
    expect(formatHuman([hostile], false)).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  });

  test('are coloured only when asked', () => {
    const text = formatDiagnostic(diagnosticAt('«a»', { hint: 'b' }), true);
    expect(text).toContain('\u001b[31merror[some-code]\u001b[39m');
    expect(text).toContain('\u001b[31m^\u001b[39m');
    expect(text.split(/\p{Cc}\[\d+m/u).join('')).toBe(
      formatDiagnostic(diagnosticAt('«a»', { hint: 'b' }), false),
    );
  });
});
