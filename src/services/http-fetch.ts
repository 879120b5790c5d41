import type { Agent } from 'node:http';
import { rootCertificates } from 'node:tls';
import { HttpError, type HttpRequest, type HttpResponse, type HttpSend, type HttpSender } from './http.ts';
import { exchange, NoAnswer } from './http-exchange.ts';
import type { KubernetesReader } from './kubernetes.ts';
import { createPodAgent, createPodTlsAgent } from './pod-agent.ts';

const limit = 10_000;
const mostRedirects = 5;

/** Requests over HTTP, directly or through a pod's port. Redirects are followed by reads only, within the same origin. */
export function createHttpClient(kubernetes: Pick<KubernetesReader, 'portForward'>): HttpSender {
  const agents = new Map<string, Agent>();
  const agentFor = (request: Outgoing, url: URL): Agent | undefined => {
    const { through } = request;
    if (through === undefined) return undefined;
    const key = JSON.stringify([url.protocol, url.hostname, through, request.ca]);
    const held = agents.get(key);
    if (held !== undefined) return held;
    const agent =
      url.protocol === 'https:'
        ? createPodTlsAgent(kubernetes, through, { servername: url.hostname, ca: trusted(request.ca) })
        : createPodAgent(kubernetes, through);
    agents.set(key, agent);
    return agent;
  };
  return {
    request: async (request, signal) => {
      let url = parseUrl(request.url);
      const headers = revealHeaders(request);
      for (let redirects = 0; ; redirects++) {
        const agent = agentFor(request, url);
        const answer = await attempt(request, { url, headers, agent }, signal);
        const next = redirectOf(answer, url);
        if (next === undefined || redirects >= mostRedirects) return answer;
        url = next;
      }
    },
    send: async (request, signal) => {
      const url = parseUrl(request.url);
      const target = { url, headers: revealHeaders(request), agent: agentFor(request, url) };
      if (request.body === undefined) return await attempt(request, target, signal);
      const headers = { 'content-type': 'application/json', ...target.headers };
      return await request.body.reveal((body) => attempt(request, { ...target, headers, body }, signal));
    },
  };
}

type Outgoing = HttpRequest | HttpSend;

interface Attempt {
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly agent: Agent | undefined;
  readonly body?: Uint8Array;
}

async function attempt(request: Outgoing, target: Attempt, signal: AbortSignal): Promise<HttpResponse> {
  const ca = trusted(request.ca);
  try {
    return await exchange(
      {
        method: request.method,
        url: target.url,
        headers: { 'user-agent': 'runbook', accept: '*/*', ...target.headers },
        limit,
        ...(target.body === undefined ? {} : { body: target.body }),
        ...(target.agent === undefined ? {} : { agent: target.agent }),
        ...(ca === undefined ? {} : { ca }),
      },
      signal,
    );
  } catch (cause) {
    const { through } = request;
    const where =
      through === undefined ? '' : ` through pod ${through.namespace}/${through.pod}:${through.port}`;
    const why = cause instanceof Error ? cause.message : 'unknown cause';
    throw new HttpError(`No answer to ${request.method} ${shown(target.url)}${where}: ${why}`, {
      cause,
      sent: !(cause instanceof NoAnswer) || cause.sent,
    });
  }
}

function parseUrl(text: string): URL {
  if (URL.canParse(text)) {
    const url = new URL(text);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  }
  throw new HttpError('The address is no http or https URL.', { sent: false });
}

/** A bundle replaces Node's list of authorities, so that list is put beside it. */
function trusted(ca: string | undefined): readonly string[] | undefined {
  return ca === undefined ? undefined : [...rootCertificates, ca];
}

function revealHeaders(request: Outgoing): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (typeof value === 'string') headers[name] = value;
    else value.revealText((text) => (headers[name] = text.trim()));
  }
  return headers;
}

function redirectOf(answer: HttpResponse, from: URL): URL | undefined {
  const { location } = answer.headers;
  if (location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) return undefined;
  if (!URL.canParse(location, from.href)) return undefined;
  const url = new URL(location, from);
  return url.origin === from.origin ? url : undefined;
}

/** Without what may be secret: user, password and query. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
