// Bundles src/cli.ts into dist/, split so that a command loads only what it needs,
// and gathers the licences of the packages that ended up in the bundle.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { editorSchema, readSchemas } from './generate.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const outdir = path.join(root, 'dist');
rmSync(outdir, { recursive: true, force: true });

const result = await build({
  absWorkingDir: root,
  entryPoints: ['src/cli.ts'],
  outdir,
  bundle: true,
  splitting: true,
  metafile: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minify: true,
  chunkNames: 'chunk/[name]-[hash]',
  define: { RUNBOOK_VERSION: JSON.stringify(version) },
  // Bundled CommonJS packages call require() for Node's own modules.
  banner: {
    js: "import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);",
  },
});

const packages = new Set();
for (const output of Object.values(result.metafile.outputs)) {
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (name !== null && bytesInOutput > 0) packages.add(name[0]);
  }
}

const notices = [...packages].sort().map((folder) => {
  const directory = path.join(root, folder);
  const manifest = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'));
  const find = (pattern) => readdirSync(directory).find((name) => pattern.test(name));
  // The Apache licence asks to pass on a NOTICE file, too.
  const files = [find(/^(licen[cs]e|copying)/i), find(/^notice/i)].filter((file) => file !== undefined);
  const text = files.map((file) => readFileSync(path.join(directory, file), 'utf8').trim()).join('\n\n');
  return `${manifest.name} ${manifest.version} (${manifest.license ?? 'see below'})\n\n${text}\n`;
});
writeFileSync(path.join(outdir, 'THIRD-PARTY-LICENSES.txt'), notices.join(`\n${'-'.repeat(78)}\n\n`));
// Runbooks name it in their first line, so that editors complete and check steps by their type.
writeFileSync(
  path.join(outdir, 'runbook.schema.json'),
  `${JSON.stringify(editorSchema(readSchemas()), null, 1)}\n`,
);
if (existsSync(path.join(outdir, 'cli.js'))) chmodSync(path.join(outdir, 'cli.js'), 0o755);
