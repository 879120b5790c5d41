import type { ActionOf } from './action.ts';
import type { JournaledEvent } from './event.ts';
import { handlingOf } from './handling.ts';
import type { Runtime } from './runtime.ts';
import { tookEffect } from './state.ts';

type Ask = ActionOf<'ask'>;

const labels: Readonly<Record<string, string>> = {
  yes: 'Yes',
  no: 'No',
  approve: 'Approve',
  later: 'Not now: stop here, answer later',
  stop: 'Stop here: resume or roll back later',
  rollback: 'Roll back what took effect',
  retry: 'Try it again',
  continue: 'Go on as if nothing had happened',
};

/** Asks a human and records who said what. `--yes` answers `confirm` and risk, and is recorded as having done so. */
export async function ask(runtime: Runtime, action: Ask): Promise<void> {
  const { id, kind, question } = action;
  runtime.record([{ type: 'asked', id, question, kind }]);
  const byYes = runtime.state().assumeYes && action.choices.includes('yes');
  const answer = byYes ? 'yes' : await answerOf(runtime, action);
  if (answer === undefined) return;
  const { actor } = runtime;
  const events: JournaledEvent[] =
    answer === 'approve'
      ? [{ type: 'approved', id, actor, reason: 'at the terminal' }]
      : [{ type: 'answered', id, kind, answer, actor, byYes }];
  if (kind === 'confirm' && answer === 'no') {
    const state = runtime.state();
    // A human who says no has decided: nothing is rolled back, and nobody goes on, behind their back.
    const { handling } = handlingOf(runtime.plan, state, id);
    events.push({
      type: 'failed',
      id,
      error: { code: 'declined', message: 'declined by a human' },
      handling: handling === 'ask' && tookEffect(state) ? 'ask' : 'stop',
    });
  }
  runtime.record(events, { sync: true });
}

async function answerOf(runtime: Runtime, action: Ask): Promise<string | undefined> {
  const { question, choices, kind } = action;
  // After a Ctrl-C the question is about that; only the next one takes it away.
  const signal = kind === 'interrupt' ? runtime.aborting : runtime.stopping;
  const given = choices.includes('yes')
    ? await runtime.prompt.confirm(question, signal)
    : await runtime.prompt.choose(
        question,
        choices.map((key) => ({ key, label: labels[key] ?? key })),
        signal,
      );
  if (signal.aborted) return undefined;
  if (given === true) return 'yes';
  if (given === false) return 'no';
  if (given !== 'no-terminal') return given;
  // Nobody is there after all.
  return kind === 'confirm' ? 'later' : kind === 'risk' ? 'no' : 'stop';
}
