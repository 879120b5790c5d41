import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  findService,
  readInventory,
  serviceHint,
  serviceSchema,
} from '../../../src/engine/read/inventory.ts';
import { said } from './reading.ts';

const entry =
  'title: A, namespace: n, kind: Deployment, resource: a, selector: app=a, container: a, restartStrategy: RollingUpdate, cluster: control-plane';
const head = 'apiVersion: services/v1\nlockNamespace: locks\nservices:\n';

function readText(text: string) {
  return readInventory('services.yaml', new TextEncoder().encode(text));
}

function mistakes(text: string) {
  const result = readText(text);
  return result.ok
    ? []
    : result.diagnostics
        .map(said)
        .map(({ code, at, message, hint }) => [code, at.replace(/^\d+: /, ''), message, hint]);
}

describe('the inventory', () => {
  test('gives each service its name and what was left out', () => {
    const result = readText(`${head}  api: {${entry}, startupBudget: 5m, health: {port: 80, path: /up}}\n`);
    expect(result.ok && result.value.lockNamespace).toBe('locks');
    expect(result.ok && [...result.value.services.values()]).toEqual([
      {
        name: 'api',
        title: 'A',
        namespace: 'n',
        kind: 'Deployment',
        resource: 'a',
        selector: 'app=a',
        container: 'a',
        startupBudget: '5m',
        restartStrategy: 'RollingUpdate',
        cluster: 'control-plane',
        health: { port: 80, path: '/up', scheme: 'http' },
        aliases: [],
        otherKinds: [],
        resourceAliases: [],
        restartOrder: 100,
        risk: 'medium',
        optional: false,
        ports: {},
      },
    ]);
  });

  test('finds a service by its name and by its aliases', () => {
    const result = readText(
      `${head}  sis: {${entry}, startupBudget: 5m, aliases: [icms]}\n  api: {${entry}, startupBudget: 5m}\n`,
    );
    if (!result.ok) throw new Error('it is valid');
    expect(findService(result.value, 'icms')?.name).toBe('sis');
    expect(findService(result.value, 'api')?.name).toBe('api');
    expect(findService(result.value, 'constructor')).toBeUndefined();
    expect(serviceHint(result.value, 'icns')).toBe('did you mean "icms"?');
    expect(serviceHint(result.value, 'something-else')).toBe("'runbook services' lists them");
  });

  test('that is shipped is valid, and names thirteen services whose fields templates may read', () => {
    const file = path.resolve(import.meta.dirname, '../../../runbooks/services.yaml');
    const result = readInventory(file, readFileSync(file));
    if (!result.ok) throw new Error(result.diagnostics[0]?.message);
    expect(result.value.services.size).toBe(13);
    const fields = new Set([...result.value.services.values()].flatMap((service) => Object.keys(service)));
    expect([...fields].filter((field) => serviceSchema.properties?.[field] === undefined)).toEqual([]);
  });
});

describe('a mistake in the inventory', () => {
  test.each([
    [
      'a misspelt key',
      `${head}  api: {${entry}, startupBudgt: 5m}\n`,
      [
        'unknown-key',
        'startupBudgt',
        'there is no key "startupBudgt" in "api"',
        'did you mean "startupBudget"?',
      ],
    ],
    [
      'a bad duration',
      `${head}  api: {${entry}, startupBudget: 5 min}\n`,
      [
        'bad-duration',
        '5 min',
        '"5 min" is no duration',
        "write whole numbers with units d, h, m, s or ms, such as '90s', '5m' or '1h30m'",
      ],
    ],
    [
      'a name that is taken',
      `${head}  api: {${entry}, startupBudget: 5m}\n  sis: {${entry}, startupBudget: 5m, aliases: [api]}\n`,
      ['duplicate-id', 'api', '"api" already names a service', 'leave it out of the aliases of "sis"'],
    ],
    [
      'an empty selector',
      `${head}  api: {${entry.replace('app=a', '""')}, startupBudget: 5m}\n`,
      ['empty-value', '""', '"selector" is empty', 'write the selector: nothing is taken for granted'],
    ],
    [
      'a name in capitals',
      `${head}  API: {${entry}, startupBudget: 5m}\n`,
      ['bad-name', 'API', '"API" is no name', 'lowercase letters, digits and dashes: "api"'],
    ],
    [
      'YAML that is none',
      'services: [\n',
      [
        'yaml-syntax',
        '[',
        'this "[" is never closed',
        'close it with "]"; inside brackets every line is indented deeper than the key',
      ],
    ],
  ])('%s', (_name, text, expected) => {
    expect(mistakes(text)).toEqual([expected]);
  });
});
