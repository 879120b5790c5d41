import type { HttpRequest, HttpResponse, HttpSend, HttpSender } from '../../src/services/http.ts';

/** Answers by pod or URL, whatever the method: a body, a status with a body, a failure, or 'hangs'. */
export class FakeHttp implements HttpSender {
  readonly requests: HttpRequest[] = [];
  readonly sent: HttpSend[] = [];
  readonly answers = new Map<string, string | Partial<HttpResponse> | Error>();

  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    this.requests.push(request);
    return await this.#answer(request, signal);
  }

  async send(request: HttpSend, signal: AbortSignal): Promise<HttpResponse> {
    this.sent.push(request);
    return await this.#answer(request, signal);
  }

  async #answer(request: HttpRequest | HttpSend, signal: AbortSignal): Promise<HttpResponse> {
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
