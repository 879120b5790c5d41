import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cassandraFolder, cassandraVersion } from './paths.ts';
import { run, say } from './shell.ts';

/** Fetches Cassandra's jars from Maven Central, unless they lie in the cache folder already. */
export async function ensureCassandraJars(): Promise<void> {
  const target = cassandraFolder();
  if (existsSync(target)) return;
  say(`fetching Cassandra ${cassandraVersion}`);
  const unfinished = `${target}-unfinished-${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    const project = path.join(unfinished, 'pom.xml');
    writeFileSync(project, pom);
    await run('mvn', [
      '--batch-mode',
      '--quiet',
      '--file',
      project,
      `org.apache.maven.plugins:maven-dependency-plugin:${pluginVersion}:copy-dependencies`,
      `-DoutputDirectory=${path.join(unfinished, 'lib')}`,
      '-DincludeScope=runtime',
    ]);
    // Only a complete set of jars ever carries the final name.
    if (!existsSync(target)) renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

const pluginVersion = '3.8.1';

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>runbook.local</groupId>
  <artifactId>cassandra</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId>
      <artifactId>cassandra-all</artifactId>
      <version>${cassandraVersion}</version>
    </dependency>
  </dependencies>
</project>
`;
