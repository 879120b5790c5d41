/** What a run and its rollback cannot leave as it was, whatever they do: never compared. */
export interface Ignored {
  readonly subject: RegExp;
  /** Absent: all of the subject. */
  readonly field?: RegExp;
  readonly why: string;
}

export const ignored: readonly Ignored[] = [
  { subject: /^Event /, why: 'events tell what happened; they are no state' },
  { subject: /^Lease /, why: 'the locks of the run itself, and elections' },
  {
    subject: /^(ReplicaSet|ControllerRevision) /,
    why: 'history that a controller keeps of its pod templates; the template and the pods are compared',
  },
  { subject: /^(Endpoints|EndpointSlice) /, why: 'made from the pods, which are compared' },
  {
    subject: /./,
    field:
      /^metadata\.(uid|resourceVersion|generation|creationTimestamp|managedFields|ownerReferences\[\d+\]\.uid)/,
    why: 'numbers and times that the API server gives out and never takes back',
  },
  {
    subject: /./,
    field: /^status\.(observedGeneration|collisionCount|currentRevision|updateRevision)$/,
    why: 'counts and names of what a controller has seen',
  },
  {
    subject: /./,
    field: /^status\.conditions.*\.(last\w+Time|message)$/,
    why: 'when a condition changed last, and the names of pods and sets in its words',
  },
  {
    subject: /^(Deployment|ReplicaSet) /,
    field: /^metadata\.annotations\.deployment\.kubernetes\.io\/revision$/,
    why: 'counts rollouts, the way back among them',
  },
  {
    subject: /./,
    field: /^(metadata|spec\.template\.metadata)\.annotations\.runbook\.io\/op$/,
    why: 'the mark by which this tool finds its own changes again',
  },
  {
    subject: /^Pod /,
    field:
      /^metadata\.(name|generateName|labels\.(pod-template-hash|controller-revision-hash)|annotations\.runbook\.io\/op|ownerReferences.*)$/,
    why: 'a pod that was made anew has other names',
  },
  { subject: /^Pod /, field: /^spec\.nodeName$/, why: 'the scheduler decides anew' },
  {
    subject: /^Pod /,
    field: /^status\.(?!phase$|conditions\[Ready\]\.status$)/,
    why: 'addresses, times, restarts and ids of containers; that a pod runs and is ready is compared',
  },
];

export function isIgnored(subject: string, field: string): boolean {
  return ignored.some((each) => each.subject.test(subject) && (each.field?.test(field) ?? true));
}
