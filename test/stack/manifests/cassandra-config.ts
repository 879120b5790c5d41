/** Pods of Cassandra, in the order in which they start. */
export const cassandraPods = ['cassandra-0', 'cassandra-1', 'cassandra-2'] as const;
export const cassandraDomain = 'cassandra-headless.cassandra-system.svc.cluster.local';
export const cassandraDatacenter = 'ncp';

/** Files of `/etc/cassandra`; none of them comes with the jars. */
export function cassandraFiles(java: string): Record<string, string> {
  return {
    'cassandra.yaml': settings,
    'cassandra-rackdc.properties': `dc=${cassandraDatacenter}\nrack=rack1\n`,
    'logback.xml': logging('INFO', 'System.out'),
    'logback-tools.xml': logging('WARN', 'System.err'),
    'jvm.options': [...exported, ...opened].join('\n'),
    'wait.sh': wait,
    'start.sh': start(java),
    nodetool: nodetool(java),
  };
}

// Clients may come through a port-forward, which arrives at the pod's loopback; other nodes and drivers are told the pod's
// own address, which `start.sh` puts in. A new ring is empty, so its nodes need not copy anything. The times
// are for two busy processors. The last two settings are the chart's: old data depends on them.
const settings = `cluster_name: cassandra
num_tokens: 8
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
endpoint_snitch: GossipingPropertyFileSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{ seeds: "${cassandraPods
      .slice(0, 2)
      .map((pod) => `${pod}.${cassandraDomain}`)
      .join(',')}" }]
data_file_directories: [/var/lib/cassandra/data]
commitlog_directory: /var/lib/cassandra/commitlog
saved_caches_directory: /var/lib/cassandra/saved_caches
rpc_address: 0.0.0.0
broadcast_rpc_address: POD_IP
hints_directory: /var/lib/cassandra/hints
cdc_raw_directory: /var/lib/cassandra/cdc_raw
commitlog_sync: periodic
commitlog_sync_period: 10s
commitlog_segment_size: 16MiB
commitlog_total_space: 256MiB
write_request_timeout: 5s
cas_contention_timeout: 5s
phi_convict_threshold: 10
auto_snapshot: false
auto_bootstrap: false
storage_compatibility_mode: NONE
uuid_sstable_identifiers_enabled: true
`;

const logging = (level: string, target: string) => `<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <target>${target}</target>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="${level}"><appender-ref ref="console"/></root>
</configuration>
`;

// What Cassandra, its libraries and nodetool reach for inside Java 17.
const exported = [
  'java.base/jdk.internal.misc',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'java.base/java.lang.ref',
  'java.base/java.lang.reflect',
  'jdk.unsupported/sun.misc',
].map((name) => `--add-exports ${name}=ALL-UNNAMED`);
const opened = [
  'java.base/java.lang.module',
  'java.base/java.net',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.util.jar',
  'java.base/sun.nio.ch',
  'java.base/java.io',
  'java.base/java.nio',
  'java.base/java.util',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.atomic',
  'java.base/java.lang',
  'java.base/java.lang.reflect',
  'java.base/java.math',
  'java.rmi/sun.rmi.transport.tcp',
  'jdk.management/com.sun.management.internal',
].map((name) => `--add-opens ${name}=ALL-UNNAMED`);

const wait = `trap 'exit 0' TERM
while [ -f "/control/hold-$POD_NAME" ]; do sleep 0.2; done
`;

const small = '-XX:+UseSerialGC -XX:TieredStopAtLevel=1 @/etc/cassandra/jvm.options';

// A short ring delay and no settling: three nodes on one machine know each other at once. A cheap hash for logins.
const start = (java: string) => `sed "s/POD_IP/$POD_IP/" /etc/cassandra/cassandra.yaml > /tmp/cassandra.yaml
exec ${java} -Xms400m -Xmx400m -XX:+ExitOnOutOfMemoryError ${small} \\
  -Dcassandra.config=file:///tmp/cassandra.yaml \\
  -Dcassandra-rackdc.properties=file:///etc/cassandra/cassandra-rackdc.properties \\
  -Dlogback.configurationFile=/etc/cassandra/logback.xml \\
  -Dcassandra.storagedir=/var/lib/cassandra \\
  -Dcassandra.jmx.local.port=7199 \\
  -Dcassandra.ring_delay_ms=2000 \\
  -Dcassandra.skip_wait_for_gossip_to_settle=0 \\
  -Dcassandra.superuser_setup_delay_ms=0 \\
  -Dcassandra.shutdown_announce_in_ms=200 \\
  -Dcassandra.auth_bcrypt_gensalt_log2_rounds=4 \\
  -Dcassandra-foreground=yes \\
  -cp '/opt/cassandra/lib/*' org.apache.cassandra.service.CassandraDaemon
`;

const nodetool = (java: string) => `#!/bin/sh
exec ${java} -Xmx64m ${small} -Dlogback.configurationFile=/etc/cassandra/logback-tools.xml \\
  -cp '/opt/cassandra/lib/*' org.apache.cassandra.tools.NodeTool -h 127.0.0.1 -p 7199 "$@"
`;
