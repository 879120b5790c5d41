import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.dirname(path.dirname(import.meta.dirname));
const page = readFileSync(path.join(root, 'runbooks', 'COVERAGE.md'), 'utf8');

interface Row {
  readonly guide: string;
  readonly where: string;
  readonly test: string;
}

const rows: readonly Row[] = page
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|(-+\|)+$/.test(line) && !line.startsWith('| In the guide'))
  .map((line) => {
    const [, guide = '', where = '', tested = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return { guide, where, test: tested };
  });

function named(cell: string): readonly (readonly [string, string])[] {
  return [...cell.matchAll(/`([^`›]+) › ([^`]+)`/g)].map(
    ([, first = '', second = '']) => [first.trim(), second.trim()] as const,
  );
}

/** Ids as they are written: of steps, of the steps inside groups, and of what verifies and undoes. */
function stepIds(runbook: string): readonly string[] {
  const text = readFileSync(path.join(root, 'runbooks', `${runbook}.yaml`), 'utf8');
  return [...text.matchAll(/^\s*- (?:\{)?id: (\w+)/gm)].map(([, id]) => id ?? '');
}

/** Titles are written in quotes of one kind or another. */
function hasTitle(file: string, title: string): boolean {
  const text = readFileSync(path.join(root, file), 'utf8');
  return ["'", '"', '`'].some((quote) => text.includes(`${quote}${title}${quote}`));
}

describe('runbooks/COVERAGE.md', () => {
  test('has a row for everything, and no cell of it is empty', () => {
    expect(rows.length).toBeGreaterThan(45);
    expect(rows.filter(({ guide, where, test: tested }) => [guide, where, tested].includes(''))).toEqual([]);
    const unnamed = rows.filter(({ where, test: tested }) => {
      const done = named(where).length > 0 || where.startsWith('out of scope:');
      return !done || named(tested).length === 0;
    });
    expect(unnamed).toEqual([]);
  });

  test('names runbooks and steps that exist', () => {
    const wrong = rows
      .flatMap(({ where }) => named(where))
      .filter(
        ([runbook, step]) =>
          !existsSync(path.join(root, 'runbooks', `${runbook}.yaml`)) || !stepIds(runbook).includes(step),
      );
    expect(wrong).toEqual([]);
  });

  test('names tests that exist', () => {
    const wrong = rows
      .flatMap((row) => named(row.test))
      .filter(([file, title]) => !existsSync(path.join(root, file)) || !hasTitle(file, title));
    expect(wrong).toEqual([]);
  });

  test('names what is out of scope', () => {
    expect(rows.filter(({ where }) => where.startsWith('out of scope: Helmfile')).length).toBeGreaterThan(2);
  });

  test('leaves out no section of the guide', () => {
    const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    expect(sections).toEqual([
      'Encryption keys',
      'The services',
      'Restarting',
      'Health',
      'Scaling',
      'Upgrading: what speaks against it',
      'Before an upgrade',
      'A spot upgrade',
      'Upgrading Cassandra, NATS and OpenBao',
      'Rolling back',
      'Observability',
    ]);
  });
});
