/** Two changes, elements, a group in parallel, a proof after a change and at the end, and outputs: one of everything that is journaled. */
export const twoChanges = `apiVersion: runbook/v1
name: two-changes
title: Two changes
description: Scales one service, sets a variable of another, and proves both.
risk: medium
locks: [nvcf/nvcf-api]
inputs:
  replicas: {type: integer, description: How many pods, default: 2}
preconditions:
  - id: ready
    uses: kubectl.get
    with: {kind: Deployment, name: nvcf-api, namespace: nvcf}
    expect: outputs.items[0].spec.replicas == 1
steps:
  - id: scale
    name: Scale NVCF API
    uses: kubectl.scale
    with: {kind: Deployment, name: nvcf-api, namespace: nvcf, replicas: "{{inputs.replicas}}"}
    timeout: 10m
    verify:
      - id: followed
        uses: kubectl.pods
        with: {namespace: nvcf, selector: app.kubernetes.io/name=helm-nvcf-api}
        expect: outputs.ready == inputs.replicas
  - id: look
    name: Look at the neighbours
    forEach: [notary-service, invocation-service]
    uses: kubectl.pods
    with: {namespace: nvcf, selector: "app.kubernetes.io/name=helm-nvcf-{{item}}"}
    expect: outputs.count == 1
  - id: both
    parallel: true
    steps:
      - id: env
        uses: kubectl.set-env
        with: {kind: Deployment, name: spot-instance-service, namespace: sis, container: helm-nvcf-sis, env: {LOG_LEVEL: debug}}
        timeout: 10m
      - id: said
        uses: note
        with: {text: "{{inputs.replicas}} pods"}
verifications:
  - id: scaled
    uses: kubectl.get
    with: {kind: Deployment, name: nvcf-api, namespace: nvcf}
    expect: outputs.items[0].generation == 2
  - id: set
    uses: kubectl.get
    with: {kind: Deployment, name: spot-instance-service, namespace: sis}
    expect: outputs.items[0].generation == 2
outputs:
  pods: "{{steps.scale.outputs.ready}}"
  changed: "{{steps.env.outputs.changed}}"
  looked: "{{steps.look.outputs}}"
`;

/** One sandbox change that takes a while and can be undone. */
export const oneChange = `apiVersion: runbook/v1
name: one-change
title: One change
description: Scales one service.
risk: low
steps:
  - id: scale
    uses: kubectl.scale
    with: {kind: Deployment, name: nvcf-api, namespace: nvcf, replicas: 2}
    timeout: 10m
outputs:
  ready: "{{steps.scale.outputs.ready}}"
`;

/** A runbook of steps alone, each given as YAML at the indentation of a list item. */
export function runbookOf(steps: string, rest = ''): string {
  return `apiVersion: runbook/v1
name: own
title: A runbook of its own
description: What a test needs.
risk: low
${rest}steps:
${steps}`;
}
