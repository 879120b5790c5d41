import type { KubernetesObject } from '../../services/kubernetes.ts';
import { at, condition, countAt, listAt, textAt } from './fields.ts';

/** Why a pod will not become ready by itself. */
export interface PodTrouble {
  readonly code: 'crash-loop' | 'image-pull' | 'container-config' | 'unschedulable';
  readonly pod: string;
  readonly container: string | undefined;
  readonly text: string;
  /** The container ran before: its last words are in the log of the previous one. */
  readonly crashed: boolean;
  /** No waiting cures it. */
  readonly final: boolean;
}

const imagePull = new Set(['ErrImagePull', 'ImagePullBackOff', 'RegistryUnavailable']);
const imageNever = new Set(['InvalidImageName', 'ErrImageNeverPull']);
const configuration = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'PreCreateHookError',
  'PostStartHookError',
]);

export function podTrouble(pod: KubernetesObject): PodTrouble | undefined {
  const scheduled = condition(pod, 'PodScheduled');
  if (textAt(scheduled, 'status') === 'False' && textAt(scheduled, 'reason') === 'Unschedulable')
    return {
      code: 'unschedulable',
      pod: pod.metadata.name,
      container: undefined,
      text: `pod ${pod.metadata.name} fits on no node: ${textAt(scheduled, 'message')}`,
      crashed: false,
      final: false,
    };
  for (const field of ['initContainerStatuses', 'containerStatuses'])
    for (const status of listAt(pod.status, field)) {
      const trouble = containerTrouble(pod.metadata.name, status, field === 'initContainerStatuses');
      if (trouble !== undefined) return trouble;
    }
  return undefined;
}

function containerTrouble(pod: string, status: unknown, init: boolean): PodTrouble | undefined {
  const container = textAt(status, 'name');
  const reason = textAt(status, 'state', 'waiting', 'reason');
  const said = textAt(status, 'state', 'waiting', 'message');
  const where = `${init ? 'init container' : 'container'} ${container} of pod ${pod}`;
  const detail = said === '' ? reason : `${reason}: ${said}`;
  const base = { pod, container, crashed: false, final: false };
  if (imagePull.has(reason) || imageNever.has(reason))
    return {
      ...base,
      code: 'image-pull',
      text: `the image ${textAt(status, 'image')} for ${where} cannot be pulled (${detail})`,
      final: imageNever.has(reason),
    };
  if (configuration.has(reason))
    return { ...base, code: 'container-config', text: `${where} cannot be created (${detail})` };
  const restarts = countAt(status, 'restartCount');
  const down = isDown(status) || (!init && at(status, 'ready') !== true);
  const looping = reason === 'CrashLoopBackOff' && restarts >= 2;
  if (!looping && !(restarts >= 3 && down)) return undefined;
  const exit = lastExit(status);
  return {
    ...base,
    code: 'crash-loop',
    text: `${where} crashes again and again: ${restarts} restarts${exit === '' ? '' : `, the last one after ${exit}`}`,
    crashed: true,
  };
}

// Waiting for its next start, or just ended badly.
function isDown(status: unknown): boolean {
  return (
    textAt(status, 'state', 'waiting', 'reason') === 'CrashLoopBackOff' ||
    countAt(status, 'state', 'terminated', 'exitCode') !== 0
  );
}

function lastExit(status: unknown): string {
  const ended = at(status, 'state', 'terminated') ?? at(status, 'lastState', 'terminated');
  if (ended === undefined) return '';
  const reason = textAt(ended, 'reason');
  const code = `exit code ${countAt(ended, 'exitCode')}`;
  return reason === '' || reason === 'Error' ? code : `${reason} (${code})`;
}
