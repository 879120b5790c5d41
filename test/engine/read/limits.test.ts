import { describe, expect, test } from 'vitest';
import { diagnosticsOf, header, read, readFrom, said, step } from './reading.ts';

const bytes = (...values: readonly number[]) => Uint8Array.from(values);
const text = (value: string) => new TextEncoder().encode(value);
const join = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

async function only(document: string | Uint8Array) {
  const found = diagnosticsOf(await read(document));
  expect(found).toHaveLength(1);
  const [diagnostic] = found;
  if (diagnostic === undefined) throw new Error('nothing was found');
  return {
    ...said(diagnostic),
    position: diagnostic.location.file.positionAt(diagnostic.location.range.start),
  };
}

describe('bytes', () => {
  test.each([
    ['a byte that starts nothing', bytes(0xff), 'the byte 0xff is not UTF-8'],
    ['a lone continuation', bytes(0x80), 'the byte 0x80 is not UTF-8'],
    ['Latin-1', bytes(0xe9, 0x20, 0x20), 'the byte 0xe9 is not UTF-8'],
    ['a sequence longer than needed', bytes(0xc0, 0xaf), 'the byte 0xc0 is not UTF-8'],
    ['a surrogate', bytes(0xed, 0xa0, 0x80), 'the byte 0xed is not UTF-8'],
    ['beyond Unicode', bytes(0xf4, 0x90, 0x80, 0x80), 'the byte 0xf4 is not UTF-8'],
    ['a sequence that ends too early', bytes(0xe2, 0x82), 'the byte 0xe2 is not UTF-8'],
  ])('%s', async (_name, wrong, message) => {
    expect(await only(join(text('risk: löw\ntitle: '), wrong, text('\n')))).toMatchObject({
      code: 'not-utf8',
      message,
      hint: 'save the file as UTF-8',
      position: { line: 2, column: 8 },
    });
  });

  test('UTF-16', async () => {
    const utf16 = join(bytes(0xff, 0xfe), Uint8Array.from(Buffer.from('risk: low\n', 'utf16le')));
    expect(await only(utf16)).toMatchObject({ code: 'not-utf8', message: 'the file is UTF-16' });
  });

  test('a byte order mark is nothing to speak of, and does not move positions', async () => {
    const marked = join(bytes(0xef, 0xbb, 0xbf), text(`${header}rsik: low\n${step}`));
    expect(await only(marked)).toMatchObject({ code: 'unknown-key', position: { line: 5, column: 1 } });
  });

  test('CRLF is a line end', async () => {
    const windows = `${header}rsik: low\n${step}`.replaceAll('\n', '\r\n');
    expect(await only(windows)).toMatchObject({ code: 'unknown-key', position: { line: 5, column: 1 } });
    expect((await read(`${header}${step}`.replaceAll('\n', '\r\n'))).ok).toBe(true);
  });

  test('at most twenty hidden characters are named', async () => {
    const found = diagnosticsOf(await read(`${header}${step}${'#\u200b\n'.repeat(50)}`));
    expect(found).toHaveLength(20);
    expect(found.at(-1)?.message).toBe('the invisible character U+200B; 30 more follow');
  });

  test('letters of all scripts, and emoji, are welcome', async () => {
    expect((await read(`${header}${step}# Grüße, 日本, مرحبا, 🚀\n`)).ok).toBe(true);
  });
});

describe('limits', () => {
  test('of the file: 1 MiB', async () => {
    const rest = 1024 * 1024 - header.length - step.length - 2;
    expect((await read(`${header}${step}#${'x'.repeat(rest)}\n`)).ok).toBe(true);
    expect(await only(`${header}${step}#${'x'.repeat(rest + 1)}\n`)).toMatchObject({
      code: 'file-too-large',
      message: 'the file has more than 1048576 bytes (1 MiB)',
    });
  });

  test('of a value: 256 KiB', async () => {
    expect(await only(`${header}${step}outputs:\n  a: ${'x'.repeat(262_145)}\n`)).toMatchObject({
      code: 'value-too-large',
      message: 'the value has 262145 characters; 262144 are the limit',
    });
  });

  test('of steps: 10,000, groups and what verifies counted in', async () => {
    const one = (index: number) => `  - {id: s${index}, uses: note, with: {text: a}}\n`;
    const many = (count: number) => Array.from({ length: count }, (_, index) => one(index)).join('');
    expect((await read(`${header}steps:\n${many(10_000)}`)).ok).toBe(true);
    expect(await only(`${header}steps:\n${many(10_001)}`)).toMatchObject({
      code: 'too-many-steps',
      message: '10001 steps; 10000 are the limit',
      position: { line: 10_006, column: 10 },
    });
  });

  test('of steps with everything included: reported where the limit is passed', async () => {
    const include = (name: string) =>
      Array.from({ length: 10 }, (_, index) => `  - {id: i${index}, uses: ./${name}.yaml}\n`);
    const files = Object.fromEntries(
      ['b', 'c', 'd', 'e'].map((name, index, all) => [
        `/books/${name}.yaml`,
        `${header}steps:\n${index === all.length - 1 ? '  - {id: say, uses: note, with: {text: a}}\n' : include(all[index + 1] ?? '').join('')}`,
      ]),
    );
    const main = `${header}steps:\n${include('b').join('')}`;
    const found = diagnosticsOf(await readFrom({ files: { ...files, '/books/main.yaml': main } }));
    expect(
      found.map(({ code, location }) => [
        code,
        location.file.path,
        location.file.positionAt(location.range.start).line,
      ]),
    ).toEqual([['too-many-steps', '/books/main.yaml', 10]]);
  });

  test('of nesting over includes', async () => {
    const files: Record<string, string> = { '/books/f40.yaml': `${header}${step}` };
    for (let index = 0; index < 40; index++)
      files[`/books/f${index}.yaml`] =
        `${header}steps:\n  - id: group\n    steps:\n      - {id: inner, uses: ./f${index + 1}.yaml}\n`;
    const found = diagnosticsOf(await readFrom({ files }, { path: '/books/f0.yaml' }));
    expect(found.map(({ code }) => code)).toContain('too-deep');
  });

  test.each([
    ['brackets', '['.repeat(500_000)],
    ['braces', '{'.repeat(500_000)],
    ['dashes', '- '.repeat(300_000)],
    ['question marks', '? '.repeat(300_000)],
    ['indentation', Array.from({ length: 1400 }, (_, index) => `${' '.repeat(index)}a:`).join('\n')],
  ])('a bomb of %s is refused before it goes off', async (_name, bomb) => {
    const started = performance.now();
    expect((await only(bomb)).code).toBe('too-deep');
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
