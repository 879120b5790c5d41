import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ensureHelm } from './build.ts';
import { image } from './image-names.ts';

/** Name of the small chart; its versions are 1.0.0, 1.0.1 (good), 1.0.2 (pods crash), 1.0.3 (a hook fails). */
export const sampleChart = 'helm-dev-sample';

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}, "helm.sh/chart": "{{ .Chart.Name }}-{{ .Chart.Version }}"}
spec:
  replicas: {{ .Values.replicaCount }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: ${image}
          imagePullPolicy: Never
          command: [sh, -c, {{ if eq .Chart.Version "1.0.2" }}"echo panic: no database; exit 3"{{ else }}"echo started; exec sleep 1000000"{{ end }}]
          env:
            - {name: CHART, value: "{{ .Chart.Version }}"}
            {{- range $name, $value := .Values.env }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
`;

const secret = `apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-login}
stringData: {password: {{ .Values.password | quote }}}
`;

const hook = `{{- if eq .Chart.Version "1.0.3" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrations
  annotations: {"helm.sh/hook": "post-upgrade", "helm.sh/hook-weight": "1"}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
        - name: migrations
          image: ${image}
          imagePullPolicy: Never
          command: [sh, -c, "echo applying migration 42; echo error: dirty database version 42 >&2; exit 1"]
{{- end }}
`;

/** A folder with the chart in all its versions, and the `helm` that the stack builds. */
export interface HelmSamples {
  /** Folder of the program, for PATH. */
  readonly bin: string;
  chart(version: string): string;
  /** A command line of Helm, as an operator would type it. */
  helm(...args: readonly string[]): string;
  remove(): void;
}

export async function helmSamples(kubeconfig: string): Promise<HelmSamples> {
  const bin = await ensureHelm();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'helm-samples-'));
  const chart = (version: string) => path.join(folder, version);
  for (const version of ['1.0.0', '1.0.1', '1.0.2', '1.0.3']) {
    mkdirSync(path.join(chart(version), 'templates'), { recursive: true });
    const write = (name: string, text: string) => writeFileSync(path.join(chart(version), name), text);
    write(
      'Chart.yaml',
      `apiVersion: v2\nname: ${sampleChart}\nversion: ${version}\nappVersion: "${version}"\n`,
    );
    write('values.yaml', 'replicaCount: 3\nenv: {}\npassword: ""\n');
    write('templates/deployment.yaml', deployment);
    write('templates/secret.yaml', secret);
    write('templates/hook.yaml', hook);
  }
  return {
    bin,
    chart,
    helm: (...args) =>
      execFileSync(path.join(bin, 'helm'), [...args, '--kubeconfig', kubeconfig], {
        encoding: 'utf8',
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
