import type { DiffLine } from '../../engine/step-type.ts';
import type { HelmContent } from '../../services/helm.ts';
import { diffContent, planLines, valuesOf } from './object-diff.ts';
import { diffValues } from './values-diff.ts';

type Content = Pick<HelmContent, 'values' | 'objects' | 'chartVersion'>;

/** What changes for a release, for a plan: chart version, values by their path, then the rendered objects. */
export function releaseDiff(current: Content, next: Content): DiffLine[] {
  return [
    ...(current.chartVersion === next.chartVersion
      ? []
      : [{ path: 'chart version', before: current.chartVersion, after: next.chartVersion }]),
    ...diffValues(valuesOf(current), valuesOf(next)).map((line) => ({
      ...line,
      path: `values ${line.path}`,
    })),
    ...planLines(diffContent(current, next)),
  ];
}
