import { type Client, ClientKilled, HelmFailed, HookFailed } from './client.ts';
import type { ReleaseRecord } from './records.ts';

export interface Upgrade {
  /** The revision whose objects are in the cluster. */
  readonly current: ReleaseRecord;
  readonly last: ReleaseRecord;
  readonly content: Pick<ReleaseRecord, 'chart' | 'config' | 'manifest' | 'hooks'>;
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

/** `helm upgrade --wait --wait-for-jobs`: the new revision. Throws `HelmFailed` with what Helm would print. */
export async function upgrade(client: Client, given: Upgrade): Promise<ReleaseRecord> {
  const { current, last } = given;
  const started: ReleaseRecord = {
    ...given.content,
    name: last.name,
    namespace: last.namespace,
    version: last.version + 1,
    info: {
      first_deployed: last.info.first_deployed,
      last_deployed: client.now(),
      deleted: '',
      description: 'Preparing upgrade',
      status: 'pending-upgrade',
    },
    labels: { ...last.labels, ...given.labels },
  };
  await client.create(started);
  let record = started;
  try {
    record = { ...record, hooks: await client.runHooks(record, 'pre-upgrade') };
    await client.apply(current, record);
    await client.settle(record);
    record = { ...record, hooks: await client.runHooks(record, 'post-upgrade') };
  } catch (failure) {
    if (failure instanceof ClientKilled) throw failure;
    const hooks = failure instanceof HookFailed ? failure.hooks : record.hooks;
    const why = sayFailure(failure);
    const description = `Upgrade "${record.name}" failed: ${why}`;
    await client.store(withInfo({ ...record, hooks }, { status: 'failed', description }));
    throw failure instanceof HelmFailed ? failure : new HelmFailed(why);
  }
  await client.store(withInfo(current, { status: 'superseded' }));
  const done = withInfo(record, { status: 'deployed', description: given.description });
  await client.store(done);
  return done;
}

/** `helm rollback --wait --wait-for-jobs`. A client that is stopped leaves `pending-rollback` behind. */
export async function rollback(
  client: Client,
  given: { readonly history: readonly ReleaseRecord[]; readonly target: ReleaseRecord },
  stopped: () => boolean,
): Promise<void> {
  const { history, target } = given;
  const last = history.at(-1) ?? target;
  const record: ReleaseRecord = {
    ...target,
    version: last.version + 1,
    info: {
      first_deployed: last.info.first_deployed,
      last_deployed: client.now(),
      deleted: '',
      description: `Rollback to ${target.version}`,
      status: 'pending-rollback',
    },
    hooks: target.hooks.map((hook) => ({
      ...hook,
      last_run: { started_at: '', completed_at: '', phase: '' },
    })),
  };
  await client.create(record);
  try {
    await client.runHooks(record, 'pre-rollback');
    await client.apply(last, record);
    await client.settle(record);
    await client.runHooks(record, 'post-rollback');
  } catch (failure) {
    if (failure instanceof ClientKilled || failure instanceof HookFailed || stopped()) throw failure;
    const why = sayFailure(failure);
    await client.store(
      withInfo(record, { status: 'failed', description: `Release "${record.name}" failed: ${why}` }),
    );
    throw new HelmFailed(`release ${record.name} failed: ${why}`);
  }
  for (const old of history)
    if (old.info.status === 'deployed') await client.store(withInfo(old, { status: 'superseded' }));
  await client.store(withInfo(record, { status: 'deployed' }));
}

function withInfo(record: ReleaseRecord, info: Partial<ReleaseRecord['info']>): ReleaseRecord {
  return { ...record, info: { ...record.info, ...info } };
}

function sayFailure(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
