import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { contentHash } from './manifests/manifest.ts';
import { stackFolder, statePath } from './paths.ts';

/** The programs that stand in for services. */
export type DoubleProgram = 'service' | 'ess-api' | 'api-keys' | 'nvcf-api' | 'migrations' | 'cassandra-jobs';

const built = new Map<DoubleProgram, string>();

/**
 * File name, below the folder that pods see as `/opt/doubles`, of one double with everything that it imports.
 * The name changes with the content: pods roll out when their program changed, and keep theirs when the work tree did.
 */
export function doubleFile(program: DoubleProgram): string {
  const known = built.get(program);
  if (known !== undefined) return known;
  const text = bundle(program);
  const name = `${program}-${contentHash(text)}.mjs`;
  const file = statePath('doubles', name);
  if (!existsSync(file)) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, text);
    renameSync(`${file}.${process.pid}`, file);
  }
  built.set(program, name);
  return name;
}

function bundle(program: DoubleProgram): string {
  const { outputFiles } = buildSync({
    entryPoints: [path.join(stackFolder(), 'doubles', `${program}.ts`)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // The driver is CommonJS, and asks for libraries that it can do without.
    external: ['kerberos'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return outputFiles[0]?.text ?? '';
}
