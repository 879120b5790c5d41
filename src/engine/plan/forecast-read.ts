import { isJsonObject } from '../canonical-json.ts';
import type { JsonObject } from '../json.ts';
import { type ReadContext, type RunContext, StepError, Suspend } from '../step-type.ts';
import { askWorld, noteFailure } from './ask-world.ts';
import { because, decideCondition } from './elements.ts';
import { findingsOf } from './findings.ts';
import type { ForecastStatus } from './plan.ts';
import { addProblem, type Planner, setFacts, show } from './planner.ts';
import { knownAfter, type Subject } from './subject.ts';

/** A read that takes longer than this in a plan is left to the run. */
export const READ_LIMIT = 15_000;

/**
 * Runs a reading step once, if nothing that comes before it in the run touches what it reads. Everything else is 'read-later': a plan
 * that shows today's answer where the run would get another one would lie.
 */
export async function forecastRead(planner: Planner, subject: Subject): Promise<void> {
  const { status, reason, outputs } = await answerOf(planner, subject);
  show(planner, subject.spot, { ...subject.line, status, ...(reason === undefined ? {} : { reason }) });
  const known = outputs === undefined ? {} : { outputs };
  if (status === 'read') setFacts(planner, subject.id, { state: 'applied', ...known });
  else if (status === 'failed' && subject.node.onFailure === 'continue')
    setFacts(planner, subject.id, { state: 'failed', ...known });
  // No run goes on from here: what it would get from a better answer is not known, and no mistake of whoever asks for it.
  else if (status === 'failed') setFacts(planner, subject.id, { state: 'failed', pending: true });
  else setFacts(planner, subject.id, { state: 'applied', pending: true });
}

interface Answer {
  readonly status: ForecastStatus;
  readonly reason?: string;
  readonly outputs?: JsonObject;
}

async function answerOf(planner: Planner, subject: Subject): Promise<Answer> {
  if (subject.input.state === 'invalid') return { status: 'failed', reason: subject.input.why };
  const later = whyLater(planner, subject);
  if (later !== undefined) return { status: 'read-later', reason: later };
  planner.request.progress?.(subject.line.name);
  try {
    return judge(planner, subject, await runOnce(planner, subject));
  } catch (error) {
    return readFailed(planner, subject, error);
  }
}

function whyLater(planner: Planner, { node, input, spot, resources }: Subject): string | undefined {
  if (spot.doubt !== undefined) return spot.doubt;
  if (input.state === 'unknown') return knownAfter(input.after);
  if (!spot.live) return 'not asked in a plan';
  const writer = planner.touched.writerOf(resources);
  if (writer !== undefined) return knownAfter([writer]);
  if (planner.needed?.has(node.id) === false) return 'asked by the run';
  return planner.offline;
}

async function runOnce(planner: Planner, subject: Subject): Promise<JsonObject> {
  const outputs = await askWorld<object>(planner, subject, {
    limit: READ_LIMIT,
    ask: (input, context) => start(subject, input, context),
  });
  return isJsonObject(outputs) ? outputs : {};
}

function start({ type }: Subject, input: never, context: ReadContext): Promise<object> {
  if (type.effect === 'read') return type.run(input, context);
  // A use that its author declared to be reading; the services have no way to change anything.
  const operationKey = `${context.runId}:${context.instance}`;
  const checkpoint = () => Promise.reject(new StepError('plan-checkpoint', 'a plan keeps no checkpoint'));
  return type.run(input, { ...context, operationKey, checkpoint } as unknown as RunContext);
}

function judge(planner: Planner, subject: Subject, outputs: JsonObject): Answer {
  const { node, id, spot } = subject;
  const decided =
    node.expect === undefined
      ? undefined
      : decideCondition(planner.source, id, { text: node.expect, own: { outputs } });
  if (decided?.state === 'unknown') return { status: 'read-later', reason: knownAfter(decided.after) };
  if (node.expect !== undefined && decided !== undefined && (decided.state === 'invalid' || !decided.value)) {
    const why = decided.state === 'invalid' ? decided.why : because(node.expect, decided.values);
    return failed(planner, subject, {
      ...findingsOf(subject.type, outputs),
      why: `expect failed: ${why}`,
      waits: node.until !== undefined,
      outputs,
    });
  }
  if (spot.gateOf === undefined) return { status: 'read', outputs };
  return { status: 'read', reason: `decided again just before ${spot.gateOf} starts`, outputs };
}

function readFailed(planner: Planner, subject: Subject, error: unknown): Answer {
  if (error instanceof Suspend)
    return {
      status: 'read-later',
      reason: error.approval === undefined ? 'the run waits' : 'the run asks a human',
    };
  const { said, told, slow } = noteFailure(planner, subject, error);
  if (told) return { status: 'failed', reason: said.message };
  return failed(planner, subject, { why: said.message, waits: slow, hint: said.hint, details: said.details });
}

interface Failing {
  readonly why: string;
  /** The run would wait for it. */
  readonly waits: boolean;
  readonly hint?: string | undefined;
  readonly details?: readonly string[] | undefined;
  readonly outputs?: JsonObject;
}

/** A failure counts only while nothing before it in the run could still make it good. */
function failed(planner: Planner, subject: Subject, failing: Failing): Answer {
  const { node, id, spot } = subject;
  const { why, waits, hint, details, outputs } = failing;
  const precondition = spot.block === 'preconditions';
  const later = precondition ? undefined : whatComesFirst(planner, subject, waits);
  if (later !== undefined)
    return { status: 'read-later', reason: `not so now: ${why.replace(/\.$/, '')}; ${later}` };
  if (precondition || node.onFailure !== 'continue')
    addProblem(planner, node, {
      kind: precondition ? 'precondition' : 'read',
      instance: id,
      message: `${subject.line.name}: ${why}`,
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined || details.length === 0 ? {} : { details }),
      ...(waits ? { waits } : {}),
    });
  return { status: 'failed', reason: why, ...(outputs === undefined ? {} : { outputs }) };
}

function whatComesFirst(planner: Planner, { node, spot }: Subject, waits: boolean): string | undefined {
  if (spot.gateOf !== undefined) return `decided just before ${spot.gateOf} starts`;
  if (planner.changed !== undefined) return knownAfter([planner.changed]);
  if (!waits) return undefined;
  return `the run waits ${node.until === undefined ? 'until its timeout' : `up to ${node.until.within}`}`;
}
