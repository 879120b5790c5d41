const keyTargets = `openbao: {namespace: vault-system, selector: component=server, token: "{{inputs.token}}"}
      cassandra: {namespace: cassandra-system, selector: app.kubernetes.io/name=cassandra}`;

/** A rotation without any re-encryption. */
export const onlyTheMasterKey = `apiVersion: runbook/v1
name: only-the-master-key
title: Publish and activate
description: A new master key, and every namespace key still under the earlier one.
risk: low
locks: [openbao/mek]
inputs:
  token: {type: secret, description: A token, from: {env: BAO_TOKEN}}
steps:
  - id: publish
    uses: mek.publish
    with:
      ${keyTargets}
      apiKeys: {namespace: cassandra-system, selector: app.kubernetes.io/name=cassandra}
    timeout: 2m
  - id: activate
    uses: mek.activate
    with:
      openbao: {namespace: vault-system, selector: component=server, token: "{{inputs.token}}"}
      kid: "{{steps.publish.outputs.kid}}"
      after: "{{steps.publish.outputs.version}}"
    timeout: 2m
`;

/** Re-encrypts under the active master key with a lock that nobody else takes. */
export const anotherReencryption = `apiVersion: runbook/v1
name: another-reencryption
title: Re-encrypt at the same time
description: What somebody else's tool would do, who does not know our lock.
risk: low
locks: [elsewhere/neks]
inputs:
  token: {type: secret, description: A token, from: {env: BAO_TOKEN}}
steps:
  - id: reencrypt
    uses: nek.reencrypt
    with:
      ${keyTargets}
      rowsPerSecond: 20
    timeout: 5m
`;
