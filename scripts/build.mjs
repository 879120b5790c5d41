// Bundles src/cli.ts into dist/, split so that a command loads only what it needs,
// and gathers the licences of the packages that ended up in the bundle.
// esbuild splits ES modules only; each is then turned into CommonJS, which Node loads in half the time.
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import { editorSchema, readSchemas } from './generate.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const outdir = path.join(root, 'dist');
const modules = path.join(root, 'node_modules');

/** Its subcommands that are programs of their own are the only use that commander has for it, and ours are none. */
const withoutSubprograms = {
  name: 'without-subprograms',
  setup({ onResolve, onLoad }) {
    const namespace = 'unused';
    onResolve({ filter: /^node:child_process$/ }, ({ path: name, importer }) =>
      importer.includes('/commander/') ? { path: name, namespace } : undefined,
    );
    onLoad({ filter: /./, namespace }, () => ({ contents: '' }));
  },
};

const result = await build({
  absWorkingDir: root,
  entryPoints: ['src/cli.ts'],
  outdir,
  bundle: true,
  splitting: true,
  metafile: true,
  plugins: [withoutSubprograms],
  // The same code as ES modules: evaluated in a tenth of the time, and what is not used falls out.
  alias: {
    yaml: path.join(modules, 'yaml/browser/dist/index.js'),
    'handlebars/dist/cjs': path.join(modules, 'handlebars/lib'),
  },
  write: false,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minify: true,
  chunkNames: 'chunk/[name]-[hash]',
  define: { RUNBOOK_VERSION: JSON.stringify(version), 'import.meta.filename': '__filename' },
});

rmSync(outdir, { recursive: true, force: true });
mkdirSync(path.join(outdir, 'chunk'), { recursive: true });
for (const { path: file, text } of result.outputFiles) {
  const { code } = transformSync(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minify: true,
    supported: { 'dynamic-import': false },
    // As every ES module is.
    banner: '"use strict";',
  });
  writeFileSync(file, code);
}
writeFileSync(path.join(outdir, 'package.json'), '{ "type": "commonjs" }\n');

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
chmodSync(path.join(outdir, 'cli.js'), 0o755);
