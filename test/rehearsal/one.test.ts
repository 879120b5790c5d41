import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { rehearsalText } from '../../src/output/rehearsal-text.ts';
import { share } from './share.ts';
import { rehearseShipped } from './shipped.ts';

test.each((process.env.ONLY ?? '').split(','))('%s', { timeout: 900_000 }, async (name) => {
  const t = performance.now();
  const r = await rehearseShipped(name, { wanted: share() });
  writeFileSync(
    `/tmp/reh/${name}.txt`,
    `${rehearsalText(r, { columns: 140, color: false })}\n${Math.round(performance.now() - t)} ms`,
  );
  const bad = r.rows.filter((x) => x.verdict !== 'restored' && x.verdict !== 'kept').length;
  writeFileSync(
    '/tmp/reh/sum.txt',
    `${name} rows ${r.rows.length} bad ${bad} notReached ${r.notReached} ms ${Math.round(performance.now() - t)}\n`,
    { flag: 'a' },
  );
});
