interface Version {
  readonly numbers: readonly [number, number, number];
  readonly prerelease: readonly string[];
}

function parse(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(text);
  if (match === null) return undefined;
  return {
    numbers: [Number(match[1]), Number(match[2]), Number(match[3])],
    prerelease: match[4] === undefined ? [] : match[4].split('.'),
  };
}

/** SemVer 2.0.0 §11; undefined when one of them is no version. */
export function compareVersions(one: string, other: string): number | undefined {
  const [a, b] = [parse(one), parse(other)];
  if (a === undefined || b === undefined) return undefined;
  for (const index of [0, 1, 2] as const)
    if (a.numbers[index] !== b.numbers[index]) return Math.sign(a.numbers[index] - b.numbers[index]);
  return comparePrerelease(a.prerelease, b.prerelease);
}

function comparePrerelease(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [one, other] = [a[index], b[index]];
    if (one === undefined) return -1;
    if (other === undefined) return 1;
    if (one === other) continue;
    const numeric = [one, other].map((part) => /^\d+$/.test(part));
    if (numeric[0] && numeric[1]) return Math.sign(Number(one) - Number(other));
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return 0;
}

export type VersionStep = 'none' | 'patch' | 'minor' | 'major' | 'older' | 'unclear';

/** How far a version is from another. */
export function versionStep(from: string, to: string): VersionStep {
  const order = compareVersions(to, from);
  const [a, b] = [parse(from), parse(to)];
  if (order === undefined || a === undefined || b === undefined) return 'unclear';
  if (order < 0) return 'older';
  if (a.numbers[0] !== b.numbers[0]) return 'major';
  if (a.numbers[1] !== b.numbers[1]) return 'minor';
  return order === 0 ? 'none' : 'patch';
}
