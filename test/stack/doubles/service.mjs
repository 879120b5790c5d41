// Stands in for a service of the control plane: answers its health endpoints and metrics on its real ports,
// and just accepts connections on ports that speak another protocol. Settings come from the environment:
//   LISTEN            "8080:/health 9464:/metrics 9090" (port, then the paths it answers)
//   STARTUP_DELAY_MS  how long after its start the service becomes healthy
//   UNHEALTHY         "true": it never does
// While the file /tmp/unhealthy exists, health endpoints answer 503.
import { existsSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';

const { LISTEN = '', SERVICE_NAME = 'service', STARTUP_DELAY_MS = '0', UNHEALTHY, HOSTNAME } = process.env;
const started = performance.now();
let requests = 0;

function log(level, message) {
  process.stdout.write(`${new Date().toISOString()} ${level} [${SERVICE_NAME}] ${message}\n`);
}

function healthy() {
  return (
    UNHEALTHY !== 'true' &&
    performance.now() - started >= Number(STARTUP_DELAY_MS) &&
    !existsSync('/tmp/unhealthy')
  );
}

function answer(request, response, paths) {
  requests += 1;
  const { pathname } = new URL(request.url, 'http://pod');
  if (!paths.includes(pathname)) {
    response.writeHead(404).end();
  } else if (pathname === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    const uptime = (performance.now() - started) / 1000;
    response.end(
      `# TYPE up gauge\nup{service="${SERVICE_NAME}"} ${healthy() ? 1 : 0}\n` +
        `# TYPE process_uptime_seconds gauge\nprocess_uptime_seconds ${uptime.toFixed(3)}\n` +
        `# TYPE http_requests_total counter\nhttp_requests_total ${requests}\n`,
    );
  } else {
    response.setHeader('content-type', 'application/json');
    response.writeHead(healthy() ? 200 : 503).end(JSON.stringify({ status: healthy() ? 'UP' : 'DOWN' }));
  }
}

for (const entry of LISTEN.split(' ').filter(Boolean)) {
  const [port, list] = entry.split(':');
  const paths = list?.split(',') ?? [];
  const server =
    paths.length > 0
      ? http.createServer((request, response) => answer(request, response, paths))
      : net.createServer((socket) => socket.on('error', () => socket.destroy()));
  server.listen(Number(port), '0.0.0.0');
}

log('INFO', `Starting ${SERVICE_NAME} on ${HOSTNAME} with PID ${process.pid}`);
if (UNHEALTHY !== 'true') {
  setTimeout(() => log('INFO', `Started ${SERVICE_NAME}, listening on ${LISTEN}`), Number(STARTUP_DELAY_MS));
}
// Without a port (and with one) the program lives until it is told to stop.
setInterval(() => undefined, 2 ** 30);
process.on('SIGTERM', () => {
  log('INFO', `Stopping ${SERVICE_NAME}`);
  process.exit(0);
});
