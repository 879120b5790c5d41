import { battery } from './battery.ts';

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

const write = (text: string) => process.stdout.write(`${text}\n`);
const seed = option('seed', Date.now() % 1_000_000);
const runs = option('runs', 300);
const begun = performance.now();
write(`chaos battery: ${runs} runs, --seed ${seed}`);
let told = 0;
const result = await battery({
  seed,
  runs,
  first: option('first', 0),
  threads: option('threads', 2),
  keep: process.argv.includes('--keep'),
  onRun: (done, broken) => {
    for (const each of broken.slice(told))
      write(
        `\nBROKEN: --seed ${seed} --first ${each.number} --runs 1 (${each.folder})\n  ${each.story.join('\n  ')}\n  problems:\n  ${each.problems.slice(0, 12).join('\n  ')}`,
      );
    told = broken.length;
    if (done % 20 === 0)
      write(`${done} runs, ${Math.round((performance.now() - begun) / 1000)} s, ${broken.length} broken`);
  },
});
const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `  ${String(count).padStart(5)}  ${name}`)
    .join('\n');
write(
  `\nstruck:\n${list(result.struck)}\nended with:\n${list(result.ends)}\nprocesses:\n${list(result.codes)}`,
);
write(
  `checked: ${JSON.stringify(result.checked)}, restored from a backup: ${result.restored}, rotated again: ${result.again}`,
);
write(`never struck: ${result.missing.join(', ') || 'none'}`);
const { user, system } = process.cpuUsage();
write(
  `${result.broken.length} broken of ${runs} in ${Math.round((performance.now() - begun) / 1000)} s, ${Math.round((user + system) / 1e6)} s of CPU`,
);
process.exitCode = result.broken.length > 0 || result.missing.length > 0 ? 1 : 0;
