import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.dirname(import.meta.dirname);

function files(folder: string): readonly string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => /\.(ts|mjs)$/.test(name) && !name.startsWith('generated/') && !name.includes('node_modules'),
    )
    .map((name) => `${folder}/${name}`);
}

interface Module {
  readonly file: string;
  readonly text: string;
  /** Files below src, resolved. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

function readModule(file: string): Module {
  const text = readFileSync(path.join(root, file), 'utf8');
  const specifiers = [
    ...text.matchAll(/(?:^import [^'"`;]*?|^export [^'"`;]*? from |^} from |\bimport\()'([^'\s]+)'/gm),
  ].map((match) => match[1] ?? '');
  const local = specifiers
    .filter((name) => name.startsWith('.'))
    .map((name) => path.posix.normalize(path.posix.join(path.posix.dirname(file), name)));
  return { file, text, imports: local, packages: specifiers.filter((name) => !name.startsWith('.')) };
}

const source = files('src').map(readModule);

/** The first matching line of a module's path gives its room. */
function room(file: string): string {
  const [, first, second] = file.split('/');
  if (first === 'cli.ts' || first === 'exit-code.ts') return first;
  if (first === 'engine')
    return second !== undefined && !second.endsWith('.ts') ? `engine/${second}` : 'engine';
  return first ?? '';
}

const everyone = ['exit-code.ts', 'engine'];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'cli.ts': ['commands', 'output', ...everyone],
  'exit-code.ts': [],
  commands: [
    'commands',
    'engine/read',
    'engine/plan',
    'engine/run',
    'steps',
    'services',
    'sandbox',
    'rehearsal',
    'output',
    'generated',
    ...everyone,
  ],
  // The step contract names the service interfaces; see the test on values below.
  engine: ['services', 'generated', ...everyone],
  'engine/read': ['engine/read', 'generated', ...everyone],
  'engine/plan': ['engine/read', 'engine/plan', 'services', ...everyone],
  'engine/run': ['engine/read', 'engine/plan', 'engine/run', 'services', ...everyone],
  steps: ['steps', 'keys', 'services', 'generated', ...everyone],
  keys: ['keys'],
  services: ['services', 'engine/read', 'generated', ...everyone],
  sandbox: ['sandbox', 'services', 'engine/read', 'engine/plan', ...everyone],
  // Runs and worlds side by side: it drives the engine, as a command does, and looks into the sandbox.
  rehearsal: ['rehearsal', 'sandbox', 'services', 'engine/read', 'engine/plan', 'engine/run', ...everyone],
  output: ['output', 'rehearsal', 'engine/read', 'engine/plan', 'engine/run', ...everyone],
};

describe('imports', () => {
  test('go only in the agreed directions', () => {
    const wrong = source.flatMap(({ file, imports }) =>
      imports
        .filter((target) => !(mayImport[room(file)] ?? []).includes(room(target)))
        .map((target) => `${file} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('of services from the engine are types, error classes and lists of kinds, never adapters', () => {
    const contracts = [
      'clock',
      'files',
      'helm',
      'http',
      'inventory',
      'kubernetes',
      'ledger',
      'nats',
      'nek-store',
      'openbao',
      'process',
      'prompt',
      'service-directory',
      'services',
    ].map((name) => `src/services/${name}.ts`);
    const wrong = source
      .filter(({ file }) => file.startsWith('src/engine/') || file.startsWith('src/steps/'))
      .flatMap(({ file, imports }) =>
        imports
          .filter((target) => target.startsWith('src/services/') && !contracts.includes(target))
          .map((target) => `${file} → ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test('never lead from one step type to another', () => {
    const types = new Set(
      [
        ...readFileSync(path.join(root, 'src/steps/index.ts'), 'utf8').matchAll(/import\('\.\/([^']+)'\)/g),
      ].map((match) => `src/steps/${match[1]}`),
    );
    const wrong = source
      .filter(({ file }) => types.has(file))
      .flatMap(({ file, imports }) =>
        imports.filter((target) => types.has(target)).map((target) => `${file} → ${target}`),
      );
    expect(types.size).toBeGreaterThan(10);
    expect(wrong).toEqual([]);
  });

  test('form no cycle', () => {
    const edges = new Map(source.map(({ file, imports }) => [file, imports]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, trail: readonly string[]): void => {
      if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '));
      if (done.has(file) || trail.includes(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...trail, file]);
      done.add(file);
    };
    // The command list loads each command on demand, and completion reads the list.
    for (const { file } of source)
      if (file !== 'src/commands/index.ts')
        visit(file, file === 'src/commands/completion.ts' ? ['src/commands/index.ts'] : []);
    expect(cycles.filter((cycle) => !cycle.includes('src/commands/index.ts'))).toEqual([]);
  });

  test('of a library go through its one door', () => {
    const doors: Readonly<Record<string, RegExp>> = {
      yaml: /^src\/engine\/read\/parse[^/]*\.ts$/,
      ajv: /^src\/engine\/(read\/validate[^/]*|step-schema)\.ts$/,
      handlebars: /^src\/engine\/template[^/]*\.ts$/,
      '@marcbachmann/cel-js': /^src\/engine\/expression[^/]*\.ts$/,
      execa: /^src\/services\/process[^/]*\.ts$/,
      '@kubernetes/client-node': /^src\/services\/kubernetes[^/]*\.ts$/,
      listr2: /^src\/output\/live\.ts$/,
      'cassandra-driver': /^src\/services\/nek-store[^/]*\.ts$/,
      'age-encryption': /^src\/keys\/backup[^/]*\.ts$/,
      jose: /^src\/steps\/nek\/verify[^/]*\.ts$/,
      commander: /^src\/commands\/command-line\.ts$/,
    };
    const wrong = source.flatMap(({ file, packages }) =>
      packages
        .filter((name) => !name.startsWith('node:'))
        .filter((name) => {
          const door = Object.entries(doors).find(
            ([library]) => name === library || name.startsWith(`${library}/`),
          )?.[1];
          return door === undefined || !door.test(file);
        })
        .map((name) => `${file} → ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('of the second opinion on namespace keys reach nothing of the first', () => {
    const edges = new Map(source.map(({ file, imports }) => [file, imports]));
    const reached = new Set<string>();
    const queue = ['src/steps/nek/verify.ts'];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (reached.has(file)) continue;
      reached.add(file);
      queue.push(...(edges.get(file) ?? []));
    }
    expect(reached).toContain('src/steps/nek/verify-rule.ts');
    expect([...reached].filter((file) => file.startsWith('src/keys/'))).toEqual([]);
  });

  test('of decide and evolve reach no Node module', () => {
    const edges = new Map(source.map((module) => [module.file, module]));
    const reached = new Set<string>();
    const queue = ['src/engine/run/decide.ts', 'src/engine/run/evolve.ts'];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (reached.has(file)) continue;
      reached.add(file);
      // Type-only imports leave nothing behind in a bundle.
      const text = (edges.get(file)?.text ?? '').replace(/import type [^;]*;/g, '');
      for (const match of text.matchAll(/from '(\.[^']+)'/g))
        queue.push(path.posix.normalize(path.posix.join(path.posix.dirname(file), match[1] ?? '')));
      expect([...text.matchAll(/from '(node:[^']+)'/g)].map((match) => `${file} → ${match[1]}`)).toEqual([]);
      expect(/\bDate\.now\(|\bnew Date\(\)|Math\.random\(|performance\.now\(/.test(text) ? file : '').toBe(
        '',
      );
    }
    expect(reached.size).toBeGreaterThan(2);
  });
});

describe('a command', () => {
  /** Value imports alone: types leave nothing behind in a bundle, and `import()` waits until it is reached. */
  const edges = new Map(
    source.map(({ file, text }) => [
      file,
      [
        ...text
          .replace(/^(?:import|export) type [^;]*;/gm, '')
          .matchAll(/^(?:import|export|}) [^'"`;(]*?'(\.[^']+)'/gm),
      ].map((match) => path.posix.normalize(path.posix.join(path.posix.dirname(file), match[1] ?? ''))),
    ]),
  );
  const reached = (start: string): ReadonlySet<string> => {
    const found = new Set<string>();
    const queue = [start];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (found.has(file)) continue;
      found.add(file);
      queue.push(...(edges.get(file) ?? []));
    }
    return found;
  };

  test.each(['validate', 'plan', 'exec', 'resume', 'runs', 'show'])(
    '%s is loaded without step types, validators of steps, the sandbox and the clients of real services',
    (name) => {
      const all = [...reached(`src/commands/${name}.ts`)];
      expect(all.length).toBeGreaterThan(5);
      const heavy =
        /^src\/(?:steps\/[^/]+\/|generated\/validators\/(?!runbook|services)|sandbox\/(?!epoch)|services\/(?:real-services|\w+-library))/;
      expect(all.filter((file) => heavy.test(file))).toEqual([]);
    },
  );
});

describe('the house', () => {
  test('has no file over 300 lines', () => {
    const long = ['src', 'test', 'bench', 'scripts']
      .flatMap(files)
      .map((file) => ({ file, lines: readFileSync(path.join(root, file), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > 300);
    expect(long).toEqual([]);
  });

  test('touches `process` in cli.ts alone', () => {
    const wrong = source
      .filter(
        ({ file, text }) =>
          file !== 'src/cli.ts' &&
          /\bprocess\.(env|argv|stdout|stderr|stdin|exit|on|kill|cwd|pid|umask)\b/.test(text),
      )
      .map(({ file }) => file);
    expect(wrong).toEqual([]);
  });

  test('reads the clock and sleeps in services alone', () => {
    const wrong = source
      .filter(
        ({ file, text }) => !file.startsWith('src/services/') && /\bDate\.now\(|\bnew Date\(\)/.test(text),
      )
      .map(({ file }) => file);
    expect(wrong).toEqual([]);
  });

  test('runs no install script of a dependency but those known to do nothing here', () => {
    const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    const scripted = Object.entries(packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([name]) => name.replace(/.*node_modules\//, ''));
    // esbuild only checks the binary that its platform package brought; fsevents is for macOS.
    expect(scripted.filter((name) => name !== 'esbuild' && name !== 'fsevents')).toEqual([]);
    const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      dependencies?: object;
    };
    expect(dependencies ?? {}).toEqual({});
  });
});
