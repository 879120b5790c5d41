import { noticeDocument } from '../consumers/life.ts';
import { type ContainerRun, printLine } from '../kubelet/runtime.ts';
import type { Container } from '../objects.ts';
import type { World } from '../world.ts';
import { runMigrations } from './migrations.ts';
import { MEK_PATH } from './seed.ts';

/** Name of the container that runs the migrations of OpenBao's chart. */
export const MIGRATIONS = 'bao-migrations';

const READS_AFTER = 3_000;
const ENDS_AFTER = 1_000;

/**
 * The container of the migrations Job has started: it reads the MEK document and leaves it alone. With `READ_FAILS=true` that read
 * gets no answer, which the Job takes for "there is none": it writes fresh keys, without check-and-set.
 */
export function migrationsStarted(
  world: World,
  given: {
    readonly spec: Container;
    readonly run: ContainerRun;
    /** It has not been stopped meanwhile. */
    readonly isAlive: () => boolean;
    readonly end: (code: number) => void;
  },
): void {
  const { spec, run, isAlive, end } = given;
  if (spec.name !== MIGRATIONS || spec.command !== undefined) return;
  const path = `${MEK_PATH.mount}/data/${MEK_PATH.path}`;
  const misbehaving = spec.env?.some(({ name, value }) => name === 'READ_FAILS' && value === 'true') === true;
  const say = (text: string) => printLine(run, world.timeline.now, text);
  say('INFO  running core migrations');
  world.timeline.schedule(READS_AFTER, () => {
    if (!isAlive()) return;
    if (misbehaving) say(`WARN  no secret at ${path}: context deadline exceeded`);
    const outcome = runMigrations(world, misbehaving);
    noticeDocument(world);
    if (outcome.wrote) say(`INFO  wrote fresh keys to ${path}`);
    else if ('refused' in outcome) say(`ERROR ${path} was not written: HTTP 400 ${outcome.refused}`);
    else say(`INFO  ${path} exists, nothing to write`);
    const failed = !outcome.wrote && 'refused' in outcome;
    if (!failed) say('INFO  migrations completed');
    world.timeline.schedule(ENDS_AFTER, () => end(failed ? 1 : 0));
  });
}
