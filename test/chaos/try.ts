import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countOf, judgeRun, runProcess } from './chaos-run.ts';
import { buildWorker, openLane } from './pool.ts';

const t0 = performance.now();
const since = () => Math.round(performance.now() - t0);
const lane = openLane(await buildWorker());
console.log('built', since());
for (let seed = 1; seed <= 2; seed++) {
  const run = {
    folder: mkdtempSync(path.join(process.env.CHAOS_TMP ?? tmpdir(), 'chaos-')),
    seed,
    world: { neks: { namespaces: 6, each: 4 }, essReplicas: 2, earlierKeys: 2, load: { every: 7000 } },
    lane,
  };
  const ended = await runProcess(run, { verb: 'exec' }, 1);
  console.log(seed, ended.code, since(), ended.code === 0 ? '' : ended.stderr);
  console.log(countOf(run, 1).calls);
  console.log(JSON.stringify(await judgeRun(run, ended.code)), since(), run.folder);
  if (seed === 1) console.log(ended.stderr);
}
console.log(process.cpuUsage());
await lane.close();
