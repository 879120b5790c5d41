// What every double does: it answers the health endpoints and metrics of its service on their real ports, and just
// accepts connections on ports that speak another protocol. Settings come from the environment:
//   LISTEN            "8080:/health 9464:/metrics 9090" (port, then the paths it answers)
//   STARTUP_DELAY_MS  how long after its start the service becomes healthy
//   UNHEALTHY         "true": it never does
// While the file /tmp/unhealthy exists, health endpoints answer 503.
import { existsSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';

export interface Call {
  method: string;
  /** The parts of the path behind `/v1`. */
  segments: string[];
  query: URLSearchParams;
  headers: http.IncomingHttpHeaders;
  /** The parsed JSON body; undefined without one. */
  body: unknown;
}

export interface Answer {
  status: number;
  body?: object;
}

/** What sets one double apart from the others. */
export interface Behaviour {
  /** Is what the path of a health endpoint asks about well? */
  healthy?: (path: string) => Promise<boolean>;
  /** Further lines of the metrics. */
  metrics?: () => string;
  /** Answers what is below `/v1`, on any port with paths. */
  api?: (call: Call) => Promise<Answer>;
}

const { LISTEN = '', SERVICE_NAME = 'service', STARTUP_DELAY_MS = '0', UNHEALTHY, HOSTNAME } = process.env;
const started = performance.now();
let requests = 0;

/** Writes one line of the service's log. */
export function log(level: 'INFO' | 'WARN' | 'ERROR', message: string): void {
  process.stdout.write(`${new Date().toISOString()} ${level} [${SERVICE_NAME}] ${message}\n`);
}

/** Opens the ports; the program lives until it is told to stop. */
export function serve(behaviour: Behaviour = {}): void {
  for (const entry of LISTEN.split(' ').filter(Boolean)) {
    const [port, list] = entry.split(':');
    const paths = list?.split(',') ?? [];
    const server =
      paths.length > 0
        ? http.createServer((request, response) => void answer(request, response, paths, behaviour))
        : net.createServer((socket) => socket.on('error', () => socket.destroy()));
    server.listen(Number(port), '0.0.0.0');
  }
  if (UNHEALTHY !== 'true') {
    setTimeout(
      () => log('INFO', `Started ${SERVICE_NAME}, listening on ${LISTEN}`),
      Number(STARTUP_DELAY_MS),
    );
  }
}

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  paths: string[],
  behaviour: Behaviour,
): Promise<void> {
  requests += 1;
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://pod');
  if (behaviour.api !== undefined && pathname.startsWith('/v1/')) {
    send(response, await answerCall(request, pathname, searchParams, behaviour.api));
  } else if (!paths.includes(pathname)) {
    response.writeHead(404).end();
  } else if (pathname === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`${await ownMetrics(behaviour)}${behaviour.metrics?.() ?? ''}`);
  } else {
    const healthy = await isHealthy(pathname, behaviour);
    send(response, { status: healthy ? 200 : 503, body: { status: healthy ? 'UP' : 'DOWN' } });
  }
}

async function answerCall(
  request: http.IncomingMessage,
  pathname: string,
  query: URLSearchParams,
  api: (call: Call) => Promise<Answer>,
): Promise<Answer> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const segments = pathname.slice('/v1/'.length).split('/').map(decodeURIComponent);
    const { method = 'GET', headers } = request;
    return await api({
      method,
      segments,
      query,
      headers,
      body: text === '' ? undefined : JSON.parse(text),
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log('ERROR', `${request.method} ${pathname}: ${message}`);
    return { status: 500, body: { error: message } };
  }
}

function send(response: http.ServerResponse, { status, body }: Answer): void {
  response.setHeader('content-type', 'application/json');
  response.writeHead(status).end(body === undefined ? '' : JSON.stringify(body));
}

async function isHealthy(path: string, { healthy }: Behaviour): Promise<boolean> {
  const running =
    UNHEALTHY !== 'true' &&
    performance.now() - started >= Number(STARTUP_DELAY_MS) &&
    !existsSync('/tmp/unhealthy');
  return running && (healthy === undefined || (await healthy(path)));
}

async function ownMetrics(behaviour: Behaviour): Promise<string> {
  const uptime = (performance.now() - started) / 1000;
  const up = (await isHealthy('/health', behaviour)) ? 1 : 0;
  return (
    `# TYPE up gauge\nup{service="${SERVICE_NAME}"} ${up}\n` +
    `# TYPE process_uptime_seconds gauge\nprocess_uptime_seconds ${uptime.toFixed(3)}\n` +
    `# TYPE http_requests_total counter\nhttp_requests_total ${requests}\n`
  );
}

log('INFO', `Starting ${SERVICE_NAME} on ${HOSTNAME} with PID ${process.pid}`);
setInterval(() => undefined, 2 ** 30);
process.on('SIGTERM', () => {
  log('INFO', `Stopping ${SERVICE_NAME}`);
  process.exit(0);
});
