import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diagnosticsOf, header, read } from './reading.ts';

/** Every key that the schema knows stands here at least once; nothing in it may be left out or misspelt. */
const valid = `${header}risk: low
locks: [a]
inputs:
  name: {type: string, description: d, default: ab, pattern: "[a-z]+", min: 1, max: 3, examples: [c]}
  kind: {type: enum, description: d, values: [one, two], required: true}
  names: {type: list, description: d, of: string, default: []}
  token: {type: secret, description: d, from: {env: RUNBOOK_SECRET_TOKEN}}
preconditions:
  - {id: pre, uses: note, with: {text: "{{inputs.name}} {{inputs.kind}}"}}
steps:
  - id: restart
    name: Restart
    uses: kube.restart
    with: {name: a, namespace: b, token: "{{inputs.token}}"}
    when: inputs.name != "b"
    forEach: inputs.names
    as: which
    key: which + "x"
    parallel: 2
    timeout: 5m
    confirm: Sure?
    retry: {attempts: 2, delay: 1s, backoff: 2, maxDelay: 5s, on: [conflict]}
    onFailure: stop
    verify:
      - {id: look, uses: note, with: {text: a}}
    rollback: {irreversible: no way}
verifications:
  - {id: post, uses: note, with: {text: a}, expect: outputs.text == "a", until: {within: 5m, every: 5s}}
rollback:
  - {id: undone, uses: note, with: {text: a}}
outputs:
  a: "{{steps.pre.outputs.text}}"
`;

/** Offsets of the letters of keys, but for names that an author chooses. */
const letters = [...valid.matchAll(/(?<=^ *(?:- )?|[{,] *)([a-zA-Z]+):(?= |\n)/gm)].flatMap(
  ({ 1: key = '', index }) => Array.from(key, (_, at) => ({ key, offset: index + at })),
);

const chosen = new Set(['name', 'kind', 'names', 'token', 'a']);

describe('a valid document', () => {
  test('is valid', async () => {
    expect(diagnosticsOf(await read(valid))).toEqual([]);
    expect(new Set(letters.map(({ key }) => key)).size).toBeGreaterThan(40);
  });

  test('fails with one error when one letter of a key is another one, at a place that can be shown', async () => {
    const mutation = fc.tuple(fc.constantFrom(...letters), fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'));
    await fc.assert(
      fc.asyncProperty(mutation, async ([{ key, offset }, letter]) => {
        fc.pre(valid[offset] !== letter && !chosen.has(key));
        const mutated = `${valid.slice(0, offset)}${letter}${valid.slice(offset + 1)}`;
        const result = await read(mutated);
        expect(result.ok).toBe(false);
        expect(diagnosticsOf(result).filter(({ severity }) => severity === 'error')).toHaveLength(1);
        for (const { location } of diagnosticsOf(result)) inside(location);
      }),
      { numRuns: 300 },
    );
  });

  test('stays readable, or says where it is not, after any edit', async () => {
    const edit = fc.record({
      at: fc.nat(valid.length),
      remove: fc.nat(12),
      insert: fc.oneof(
        fc.string({ maxLength: 8 }),
        fc.constantFrom(
          '{{',
          '}}',
          '\n',
          '  ',
          ': ',
          '- ',
          '"',
          "'",
          '[',
          '{',
          '#',
          '|\n',
          '!',
          '&a',
          '*a',
          '---\n',
        ),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const text = edits.reduce(
          (all, { at, remove, insert }) => `${all.slice(0, at)}${insert}${all.slice(at + remove)}`,
          valid,
        );
        const result = await read(text);
        if (!result.ok) expect(result.diagnostics.length).toBeGreaterThan(0);
        for (const { location } of diagnosticsOf(result)) inside(location);
      }),
      { numRuns: 300 },
    );
  });
});

describe('anything else', () => {
  test('random bytes end in a diagnostic with a place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        const result = await read(bytes);
        expect(result.ok).toBe(false);
        for (const { location } of diagnosticsOf(result)) inside(location);
      }),
      { numRuns: 500 },
    );
  });

  test('random YAML punctuation ends in a diagnostic with a place', async () => {
    const piece = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '|',
      '>',
      '?',
      '#',
      '&',
      '*',
      '!',
      '%',
      '---',
      '{{',
      '}}',
      '\\',
      '1',
      '  ',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 60 }), async (pieces) => {
        const result = await read(pieces.join(''));
        expect(result.ok).toBe(false);
        for (const { location } of diagnosticsOf(result)) inside(location);
      }),
      { numRuns: 1000 },
    );
  });

  test('a key of an object prototype is a key like any other, and pollutes nothing', async () => {
    const names = ['constructor', 'prototype', 'toString', '__proto__', 'hasOwnProperty'];
    for (const name of names) {
      const result = await read(
        `${header}inputs:\n  ${name}: {type: string, description: d}\n${name}: {polluted: yes}\nsteps: []\n`,
      );
      expect(result.ok).toBe(false);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    }
  });
});

function inside({ file, range }: { file: { text: string }; range: { start: number; end: number } }): void {
  expect(range.start).toBeGreaterThanOrEqual(0);
  expect(range.end).toBeGreaterThanOrEqual(range.start);
  expect(range.end).toBeLessThanOrEqual(file.text.length);
}
