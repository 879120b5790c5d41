import { SandboxError } from './world-file.ts';

export type FaultKind = 'error' | 'timeout' | 'crash-before' | 'crash-after' | 'lost-answer';

export interface Fault {
  /** A step's instance id; without `[key]` parts it means the first instance of that step that gets there. */
  readonly step: string;
  readonly kind: FaultKind;
}

/**
 * What goes wrong on purpose. Each fault happens once in the life of a run: taking it is recorded in the world's file first,
 * so that a resumed run does not crash again at the same place.
 */
export interface FaultPlan {
  readonly faults: readonly Fault[];
  /**
   * The fault due for an instance: 'before' its effect starts (error, timeout, crash-before) or 'after' it is made (crash-after).
   * 'answer' belongs to the sandbox's services: the next changing call of the instance takes effect and its answer is lost.
   * Services that were not made for an instance ask without one: that means the instances between their 'before' and 'after'.
   */
  take(instance: string | undefined, point: 'before' | 'after' | 'answer'): FaultKind | undefined;
  /** Those that have happened. */
  taken(): readonly Fault[];
  /** What has not happened by now never does. */
  disarm(): void;
}

const KINDS: readonly FaultKind[] = ['error', 'timeout', 'crash-before', 'crash-after', 'lost-answer'];
const POINTS: Readonly<Record<FaultKind, 'before' | 'after' | 'answer'>> = {
  error: 'before',
  timeout: 'before',
  'crash-before': 'before',
  'crash-after': 'after',
  'lost-answer': 'answer',
};

/** 'restart=crash-after' as given to `--fault`. Throws `SandboxError` with what may be written instead. */
export function parseFault(text: string): Fault {
  const at = text.lastIndexOf('=');
  const step = text.slice(0, Math.max(0, at)).trim();
  const kind = KINDS.find((known) => known === text.slice(at + 1).trim());
  if (at > 0 && step !== '' && kind !== undefined) return { step, kind };
  throw new SandboxError(
    `--fault ${JSON.stringify(text)} is no fault.`,
    `Write STEP=KIND, where KIND is one of ${KINDS.join(', ')}.`,
  );
}

function isMeant(fault: Fault, instance: string): boolean {
  return fault.step === instance || fault.step === instance.replace(/\[[^\]]*\]/g, '');
}

/** `taken`: indices that earlier processes took; `record` is called before a fault is handed out. */
export function createFaultPlan(
  faults: readonly Fault[],
  history: { readonly taken: Iterable<number>; readonly record: (index: number) => void },
): FaultPlan {
  const taken = new Set(history.taken);
  const running = new Set<string>();
  let armed = true;
  return {
    faults,
    taken: () => faults.filter((_, at) => taken.has(at)),
    disarm: () => {
      armed = false;
    },
    take: (instance, point) => {
      if (instance !== undefined && point === 'before') running.add(instance);
      if (instance !== undefined && point === 'after') running.delete(instance);
      const asking = instance === undefined ? [...running] : [instance];
      const index = faults.findIndex(
        (fault, at) =>
          armed && !taken.has(at) && POINTS[fault.kind] === point && asking.some((id) => isMeant(fault, id)),
      );
      const fault = faults[index];
      if (fault === undefined) return undefined;
      taken.add(index);
      history.record(index);
      return fault.kind;
    },
  };
}
