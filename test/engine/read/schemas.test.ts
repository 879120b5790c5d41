import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { editorSchema, readSchemas } from '../../../scripts/generate.mjs';
import { parseYaml } from '../../../src/engine/read/parse.ts';
import { jsonOf } from '../../../src/engine/read/tree.ts';
import { SourceFile } from '../../../src/engine/source-file.ts';
import { stepSchemas } from '../../../src/generated/step-schemas.js';
import { header } from './reading.ts';

const folder = path.resolve(import.meta.dirname, '../../../runbooks');

function compiled() {
  const ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true });
  for (const keyword of ['x-secret', 'x-literal', 'x-or-template', 'x-kind']) ajv.addKeyword(keyword);
  return ajv.compile(editorSchema(readSchemas()));
}

const validate = compiled();

function fits(text: string): boolean {
  const parsed = parseYaml(new SourceFile('a.yaml', text));
  if (!parsed.ok) throw new Error(parsed.diagnostics[0]?.message);
  return validate(jsonOf(parsed.tree));
}

describe('the schema for editors', () => {
  const runbooks = readdirSync(folder).filter((name) => name !== 'services.yaml' && name.endsWith('.yaml'));

  test.each(runbooks)('fits %s', (name) => {
    expect(fits(readFileSync(path.join(folder, name), 'utf8'))).toBe(true);
  });

  test('knows every step type and its fields', () => {
    const step = (uses: string, more: string) => `${header}steps:\n  - {id: a, uses: ${uses}, ${more}}\n`;
    expect(fits(step('note', 'with: {text: a}'))).toBe(true);
    expect(fits(step('note', 'with: {txt: a}'))).toBe(false);
    expect(fits(step('nothing', 'with: {}'))).toBe(false);
    expect(fits(step('./other.yaml', 'with: {anything: a}'))).toBe(true);
    expect(
      fits(
        step('kubectl.scale', 'with: {kind: Deployment, name: a, namespace: b, replicas: "{{inputs.n}}"}'),
      ),
    ).toBe(true);
    const types = Object.keys(stepSchemas);
    expect(types.length).toBeGreaterThan(10);
  });

  test('says something about every key', () => {
    const silent: string[] = [];
    const walk = (node: unknown, where: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, value] of Object.entries(node)) {
        if (key === 'properties' && !where.endsWith('/then') && !where.endsWith('/if'))
          for (const [name, field] of Object.entries(value as Record<string, Record<string, unknown>>))
            if (field.description === undefined && field.$ref === undefined) silent.push(`${where}/${name}`);
        walk(value, `${where}/${key}`);
      }
    };
    const { runbook, services } = readSchemas();
    walk(runbook, 'runbook');
    walk(services, 'services');
    expect(silent).toEqual([]);
  });
});
