import type { HttpClient, HttpRequest, HttpResponse } from '../../src/services/http.ts';

/** Answers by pod or URL: a body, a status with a body, a failure, or 'hangs'. */
export class FakeHttp implements HttpClient {
  readonly requests: HttpRequest[] = [];
  readonly answers = new Map<string, string | Partial<HttpResponse> | Error>();

  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    this.requests.push(request);
    const answer = this.answers.get(request.through?.pod ?? request.url);
    if (answer === 'hangs')
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
      });
    if (answer === undefined) throw new Error('connection refused');
    if (answer instanceof Error) throw answer;
    const parts = typeof answer === 'string' ? { body: answer } : answer;
    return { status: 200, headers: {}, body: '', ...parts };
  }
}
